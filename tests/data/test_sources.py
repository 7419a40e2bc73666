from promptreid.data.sources import Source, source_of, sources_of


def test_sources_are_read_from_a_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    records = [
        {"spec": "market1501:m?use=all", "name": "market1501", "role": "train"},
        {"spec": "msmt17:/x", "name": "msmt17", "role": "test"},
        {"spec": "csv:/y/a.csv", "name": "a"},  # written before there were roles
    ]
    assert sources_of(records) == (
        Source("market1501", str(tmp_path / "m"), "use=all", all_images=True),
        Source("a", "/y/a.csv"),
    )
    assert source_of("msmt17: /x ", "msmt17") == Source("msmt17", "/x")
