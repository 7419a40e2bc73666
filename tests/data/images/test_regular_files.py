from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from promptreid.data.images.regular_files import explain_irregular, read_regular
from promptreid.errors import DataError

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files on Windows")


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "a").write_bytes(content)
    assert explain_irregular(tmp_path / "a") == ""
    assert read_regular(tmp_path / "a", limit=1 << 20) == content
    assert read_regular(tmp_path / "a", limit=len(content)) == content
    (tmp_path / "empty").touch()
    assert read_regular(tmp_path / "empty", limit=10) == b""


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as stream:
        stream.truncate(7 << 30)  # a hole, which takes no room
    with pytest.raises(DataError, match=r"at least 7,168 MiB, and no more than 512 MiB are read"):
        read_regular(tmp_path / "a", limit=1 << 29)


@posix
def test_pipes_devices_and_sockets_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "zeros").symlink_to("/dev/zero")
    place = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # names of sockets are short
    try:
        place.bind("socket")
    finally:
        os.chdir(here)
        place.close()
    reasons = {
        "pipe": "it is a named pipe, not a file",
        "link": "it is a named pipe, not a file",
        "folder": "it is a directory",
        "zeros": "it is a device, not a file",
        "socket": "it is a socket, not a file",
    }
    for name, reason in reasons.items():
        with pytest.raises(DataError) as caught:
            read_regular(tmp_path / name, limit=10)
        assert str(caught.value) == reason


@posix
def test_files_that_tell_no_size_have_the_limit_too() -> None:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux has /proc")
    assert b"Name:" in read_regular(status, limit=1 << 20)
    with pytest.raises(DataError, match="no more than 0 MiB"):
        read_regular(status, limit=10)


def test_missing_files_and_dead_links_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "dead").symlink_to("/mnt/gone/picture.jpg")
    (tmp_path / "a").touch()
    for name, reason in {
        "none": "there is no such file",
        "a/b": "there is no such file",
        "dead": "it is a link to /mnt/gone/picture.jpg, which is not there",
        "nul\0": "its name cannot be that of a file",
    }.items():
        assert explain_irregular(tmp_path / name) == reason


def test_loops_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "symbolic links" in explain_irregular(tmp_path / "a")
