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
