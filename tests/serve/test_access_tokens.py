"""Files of tokens."""

import json
import stat

import pytest

from promptreid.errors import ConfigError
from promptreid.serve.access_tokens import TokenBook, digest_token, make_token


def test_only_digests_are_kept_and_only_the_owner_reads_them(tmp_path):
    file = tmp_path / "tokens.json"
    token = make_token(file, "door", "/g", ["search"])
    assert token not in file.read_text()
    assert digest_token(token) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len({make_token(file, f"door {n}", "/g", ["search"]) for n in range(5)}) == 5


def test_a_book_knows_who_has_a_token_and_for_what(tmp_path):
    file = tmp_path / "tokens.json"
    here = make_token(file, "here", "/g", ["search", "erase"])
    anywhere = make_token(file, "anywhere", "*", ["search"])
    book = TokenBook(file, "/g")
    assert book.find(here).rights == {"search", "erase"}
    assert book.find(anywhere).rights == {"search"}
    for wrong in ("", here[:-1], here.upper(), "\ud800", digest_token(here)):
        assert book.find(wrong) is None
    assert TokenBook(file, "/other").find(here).rights == set()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"tokens": [{"name": "x"}]}', "sha256"),
        (json.dumps({"tokens": [{"name": "x", "sha256": "", "rights": {"*": ["fly"]}}]}), "fly"),
        (json.dumps({"tokens": [{"name": "x", "sha256": "É", "rights": {}}]}), "64 digits"),
    ],
)
def test_damaged_files_are_told_in_words(tmp_path, content, words):
    file = tmp_path / "tokens.json"
    file.write_text(content)
    with pytest.raises(ConfigError) as caught:
        TokenBook(file, "/g")
    assert words in str(caught.value)
    with pytest.raises(ConfigError):
        make_token(file, "door", "/g", ["search"])


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="promptreid serve token"):
        TokenBook(tmp_path / "tokens.json", "/g")


def test_a_write_that_fails_leaves_the_tokens_as_they_were(tmp_path, monkeypatch):
    def fail(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600  # before it has its name, too
        raise OSError(28, "No space left on device")

    file = tmp_path / "tokens.json"
    monkeypatch.setattr("promptreid.files._sync_file", fail)
    with pytest.raises(OSError, match="No space"):
        make_token(file, "door", "/g", ["search"])
    assert list(tmp_path.iterdir()) == []
