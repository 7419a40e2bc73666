"""Addresses of models on the hub, in both spellings."""

from pathlib import Path

import pytest
from facts import lacking

from promptreid.errors import ConfigError
from promptreid.hub.hub_address import HubAddress, is_hub_address, parse_hub_address

READ = {
    "hf:ann/re-id": HubAddress("ann/re-id"),
    "hf:ann/re-id@v1.0": HubAddress("ann/re-id", "v1.0"),
    "hf:ann/re-id@refs/pr/3:a/b.pth": HubAddress("ann/re-id", "refs/pr/3", "a/b.pth"),
    "hf:ann/re-id:clip.pth": HubAddress("ann/re-id", None, "clip.pth"),
    "hf://ann/re-id": HubAddress("ann/re-id"),
    "hf://ann/re-id@v1/a/b.pth": HubAddress("ann/re-id", "v1", "a/b.pth"),
    str(Path("hf://ann/re-id/b.pth")): HubAddress("ann/re-id", None, "b.pth"),
}


@pytest.mark.parametrize(("text", "address"), READ.items(), ids=READ)
def test_both_spellings_are_read(text, address):
    assert is_hub_address(text)
    assert parse_hub_address(text) == address
    assert parse_hub_address(str(address)) == address


@pytest.mark.parametrize("text", ["hf:", "hf:ann", "hf:ann/", "hf:/a", "hf:a b/c", "hf:a/b:../c"])
def test_what_is_no_address_says_how_one_looks(text):
    with pytest.raises(ConfigError) as caught:
        parse_hub_address(text)
    assert not lacking(str(caught.value), text, "hf:OWNER/NAME@REVISION:FILE")


def test_a_path_is_no_address():
    assert not is_hub_address("runs/hf:a")
    assert not is_hub_address("C:/runs/mine")


def test_a_commit_pins_an_address():
    assert str(HubAddress("a/b", "main", "c").pinned("12ab")) == "hf:a/b@12ab:c"
