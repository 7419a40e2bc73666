import sys
from types import ModuleType

import pytest

from promptreid.errors import ConfigError
from promptreid.tracking.track_option import (
    KINDS,
    TrackerSpec,
    check_installed,
    make_tracker,
    parse_trackers,
)


def test_options_are_read():
    texts = ["tensorboard", "wandb:team/reid", "mlflow:http://host:5000#hands"]
    specs = parse_trackers(texts)
    assert specs == (
        TrackerSpec("tensorboard"),
        TrackerSpec("wandb", "team/reid"),
        TrackerSpec("mlflow", "http://host:5000#hands"),
    )
    assert [str(spec) for spec in specs] == texts
    assert parse_trackers([]) == parse_trackers(["none"]) == ()


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["tensorbord"], "Did you mean 'tensorboard'"),
        (["wandb:"], "names no place"),
        (["wandb:a/b/c"], "wandb:ENTITY/PROJECT"),
        (["wandb:what?"], "without any of"),
        (["mlflow", "mlflow"], "given twice"),
        (["none", "wandb"], "means no tracker"),
    ],
)
def test_wrong_options_are_explained(texts, words):
    with pytest.raises(ConfigError) as caught:
        parse_trackers(texts)
    assert words in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_package_names_its_extra(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(ConfigError) as caught:
        check_installed([TrackerSpec(kind)])
    assert f"pip install 'promptreid[{kind}]'" in str(caught.value)
    assert "--track none" in str(caught.value)


def test_folder_of_results_is_not_a_package(tmp_path, monkeypatch):
    """`python -m promptreid` beside a folder ./absent must not take it for the package."""
    from promptreid.tracking import track_option as spec

    (tmp_path / "absent_tracker").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not spec._installed("absent_tracker")
    (tmp_path / "absent_tracker" / "__init__.py").write_text("")
    assert spec._installed("absent_tracker")


@pytest.mark.parametrize("kind", KINDS)
def test_trackers_are_made_without_their_package(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, kind, None)
    tracker = make_tracker(TrackerSpec(kind))
    for method in ("start", "log", "image", "summary", "finish"):
        assert callable(getattr(tracker, method))


def test_installed_package_passes(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    check_installed([TrackerSpec("wandb")])
