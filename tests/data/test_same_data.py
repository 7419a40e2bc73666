from promptreid.data.data_set_names import name_data_sets
from promptreid.data.same_data import DataSource, source_of


def test_a_data_set_is_named_by_its_place(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = source_of("market1501:m?use=all", "market1501")
    assert found == DataSource("market1501", str(tmp_path / "m"), "use=all", all_images=True)
    assert source_of("msmt17: /x ", "msmt17") == DataSource("msmt17", "/x")


def test_tables_are_told_apart_by_their_file_and_by_where_their_pictures_lie(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    specs = [
        "csv:cam1/list.csv?root=im", "csv:cam2/list.csv?root=im", "csv:cam1/list.csv?root=other",
        "csv:cam1/list.csv", "csv:cam1/list.csv?seed=3",
    ]  # fmt: skip
    places = [source_of(spec, "list").place for spec in specs]
    assert len(set(places)) == 4
    assert places[3] == places[4]
    assert source_of("csv:cam2/../cam1/list.csv?root=./im/", "list").place == places[0]
    labels = name_data_sets(places)
    assert name_data_sets(places[:2]) == {places[0]: "list:cam1", places[1]: "list:cam2"}
    assert len({labels[place] for place in places}) == 4
