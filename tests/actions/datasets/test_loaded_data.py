"""A data set as people look at it."""

import pytest
from facts import lacking

import promptreid
from promptreid.cli.main import main
from promptreid.data.dataset import DataSet
from promptreid.errors import DataError


def test_a_data_set_says_what_it_is_in_a_line(photos):
    data = promptreid.load_data(photos)
    assert isinstance(data, DataSet)
    assert not lacking(repr(data), "LoadedData(", photos, "images of", "identities", "protocol")
    assert len(repr(data)) < 300 + len(photos)
    assert not lacking(data._repr_html_(), photos, "train", "images")


def test_samples_are_shown_a_row_for_each_identity(photos):
    data = promptreid.load_data(photos)
    drawn = data.show(identities=3, images=4)
    assert len(drawn.figure.axes) == 3 * 4
    assert drawn.alt == data.show(identities=3, images=4).alt
    assert drawn.alt != data.show(identities=3, images=4, seed=1).alt


def test_data_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(DataError) as caught:
        promptreid.load_data(f"folder:{tmp_path / 'gone'}")
    assert "gone" in str(caught.value)


def test_findings_are_said_as_the_command_says_them(photos, capsys):
    found = promptreid.load_data(photos).inspect(quick=True)
    with pytest.raises(SystemExit) as done:
        main(["data", "inspect", photos, "--quick"])
    assert done.value.code == 0
    assert capsys.readouterr().out.strip() == str(found).strip() == repr(found).strip()
    assert found.ok
