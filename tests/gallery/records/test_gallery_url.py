"""Where a gallery is, as text; passwords never come back."""

from pathlib import Path

import pytest

from promptreid.errors import GalleryError
from promptreid.gallery.records.gallery_url import GalleryUrl, hide_credentials, parse_gallery_url

DATABASE = "postgresql://anna:s3cret@db:5433/reid/people"


def test_a_folder_is_a_folder_whatever_its_name():
    for place in ("people.gallery", "what?", "a=b&c", "C:/people"):
        assert parse_gallery_url(place) == GalleryUrl(Path(place))
    assert parse_gallery_url(Path("a?index=exact")).folder == Path("a?index=exact")
    with_index = parse_gallery_url("people?index=milvus://db:19530/people")
    assert (with_index.folder, with_index.index) == (Path("people"), "milvus://db:19530/people")
    assert parse_gallery_url(with_index) is with_index


def test_a_database_and_its_gallery_are_told_apart():
    url = parse_gallery_url(f"{DATABASE}?sslmode=require&index=exact")
    assert (url.folder, url.schema, url.index) == (None, "people", "exact")
    assert url.connection == "postgresql://anna:s3cret@db:5433/reid?sslmode=require"
    assert str(url) == "postgresql://anna@db:5433/reid/people?index=exact"
    local = parse_gallery_url("postgres:///reid/people")
    assert (local.connection, str(local)) == ("postgresql:///reid", "postgresql:///reid/people")
    assert parse_gallery_url("postgresql://a:1,b:2/reid/people").schema == "people"
    assert parse_gallery_url("postgresql://[::1]:5432/reid/people").schema == "people"


@pytest.mark.parametrize(
    "place",
    [
        DATABASE,
        f"{DATABASE}?password=s3cret",
        f"{DATABASE}?index=milvus://me:s3cret@host/people",
        "people?index=milvus://me:s3cret@host/people?token=s3cret",
    ],
)
def test_no_password_is_written_out(place):
    url = parse_gallery_url(place)
    assert "s3cret" not in str(url) + repr(url) + url.address


@pytest.mark.parametrize(
    "place",
    [
        "postgresql://anna:s3cret@db/reid",
        "postgresql://anna:s3cret@db/reid/a/b",
        "postgresql://anna:s3cret@/x@db/reid/people",
        "postgresql://anna:s3c@ret@db/reid/people",
        "postgresql://anna:s3/s3cret@db/reid",
        "postgresql://anna:s3cret#@db/reid/people",
        "postgresql://anna:s3cret@db:port/reid/people",
        "postgresql://anna:s3cret@[db/reid/people",
        "postgresql://anna:s3cret@db/reid/people?sslmode",
    ],
)
def test_what_cannot_be_read_is_refused_without_repeating_it(place):
    with pytest.raises(GalleryError) as caught:
        parse_gallery_url(place)
    assert "s3" not in str(caught.value)
    assert "postgresql://[USER@]HOST" in str(caught.value)


@pytest.mark.parametrize("schema", ["People", "1st", "pg_people", "a-b", "x" * 64, "a'; DROP"])
def test_names_of_galleries_are_plain(schema):
    with pytest.raises(GalleryError, match="cannot be named"):
        parse_gallery_url(f"postgresql://db/reid/{schema}")


def test_other_kinds_of_galleries_are_refused():
    with pytest.raises(GalleryError, match="mysql"):
        parse_gallery_url("mysql://db/reid/people")


def test_credentials_are_taken_out_of_urls_alone():
    assert hide_credentials("exact") == "exact"
    assert hide_credentials("milvus://me:x@h:1/c?type=FLAT&token=x") == "milvus://h:1/c?type=FLAT"
    assert hide_credentials("milvus://[x") == "milvus://..."
