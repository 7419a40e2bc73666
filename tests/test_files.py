import json

import pytest

from promptreid.files import replacing, write_json, write_text


def test_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_the_name_appears_only_when_the_text_is_whole(tmp_path):
    path = tmp_path / "deep" / "b.json"
    with replacing(path) as temporary:
        temporary.write_text("{}")
        assert not path.exists()
    assert path.read_text() == "{}"
    write_json(path, {"x": 1})
    assert path.read_text() == '{\n  "x": 1\n}\n'


def test_files_are_utf8_and_take_names_that_are_no_text(tmp_path):
    names = {"Andr\udce9": ["grün", "名前"]}
    write_json(tmp_path / "a.json", names)
    assert json.loads((tmp_path / "a.json").read_bytes()) == names
    write_text(tmp_path / "a.txt", "Andr\udce9\r\ngrün\n")
    assert (tmp_path / "a.txt").read_bytes() == "Andr\\udce9\r\ngrün\n".encode()
