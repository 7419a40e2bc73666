"""Files come out of the cache without a network, and what is missing is said in a sentence."""

import pytest
from facts import lacking
from hub_cache import COMMIT, put_in_cache
from huggingface_hub import constants, errors

from promptreid.errors import WeightsError
from promptreid.hub import hub_files
from promptreid.hub.hub_address import HubAddress, parse_hub_address
from promptreid.hub.hub_files import HubCache, fetch_file, find_commits

ADDRESS = HubAddress("ann/re-id")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "file").write_bytes(b"weights")
    return tmp_path / "cache"


def test_a_file_is_taken_from_the_cache(cache, tmp_path):
    path = put_in_cache(cache, "ann/re-id", tmp_path / "file", "model.safetensors")
    found = fetch_file(ADDRESS)
    assert (found.path, found.commit) == (path, COMMIT)
    assert found.path.read_bytes() == b"weights"
    assert fetch_file(ADDRESS.pinned(COMMIT)).path == path
    other = put_in_cache(tmp_path / "other", "ann/re-id", tmp_path / "file", "deep/a.pth")
    address = parse_hub_address("hf:ann/re-id@main:deep/a.pth")
    found = fetch_file(address, cache=HubCache(cache_dir=tmp_path / "other"))
    assert (found.path, found.commit) == (other, COMMIT)


def test_the_first_of_several_names_is_taken(cache, tmp_path):
    put_in_cache(cache, "ann/re-id", tmp_path / "file", "b.safetensors")
    assert fetch_file(ADDRESS, ("a.safetensors", "b.safetensors")).path.name == "b.safetensors"


@pytest.mark.parametrize(
    ("address", "facts"),
    [
        ("hf:bob/other", ["bob/other", "model.safetensors", "main branch"]),
        ("hf:ann/re-id@v9", ["ann/re-id@v9", "model.safetensors", "v9"]),
        ("hf:ann/re-id:no.pth", ["ann/re-id", "no.pth"]),
    ],
)
def test_what_is_not_there_names_repository_file_cache_and_why(cache, tmp_path, address, facts):
    put_in_cache(cache, "ann/re-id", tmp_path / "file", "model.safetensors")
    with pytest.raises(WeightsError) as caught:
        fetch_file(parse_hub_address(address))
    assert not lacking(str(caught.value), *facts, "HF_HUB_OFFLINE")
    assert str(cache) in str(caught.value)


def test_without_a_network_the_cache_is_taken(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def unknown(url):
        raise OSError("Name or service not known")

    monkeypatch.setattr(hub_files, "check_host", unknown)
    with pytest.raises(WeightsError, match="cannot be reached"):
        fetch_file(ADDRESS)
    put_in_cache(cache, "ann/re-id", tmp_path / "file", "model.safetensors")
    assert fetch_file(ADDRESS).commit == COMMIT


def test_what_the_hub_refuses_is_a_sentence(cache, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub_files, "check_host", lambda url: None)

    def refuse(*arguments, **options):
        raise failure

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    failure = errors.HFValidationError("no such repository")
    with pytest.raises(WeightsError) as caught:
        fetch_file(ADDRESS)
    assert not lacking(str(caught.value), "ann/re-id", "no such repository", "HF_TOKEN")
    failure = errors.EntryNotFoundError("404")
    with pytest.raises(WeightsError) as caught:
        fetch_file(ADDRESS)
    assert not lacking(str(caught.value), "no file model.safetensors", "hf:ann/re-id:FILE")


def test_commits_are_found_of_addresses_alone(cache, tmp_path):
    put_in_cache(cache, "ann/re-id", tmp_path / "file", "model.safetensors")
    names = ["auto", "runs/mine", "hf:ann/re-id"]
    assert find_commits(names) == {"hf:ann/re-id": COMMIT}


def test_a_folder_of_a_repository_may_be_called_as_one_of_the_cache(cache, tmp_path):
    name = "snapshots/last.pth"
    path = put_in_cache(cache, "ann/re-id", tmp_path / "file", name)
    found = fetch_file(parse_hub_address(f"hf:ann/re-id:{name}"))
    assert (found.path, found.commit) == (path, COMMIT)
