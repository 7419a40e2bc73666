import pytest

from promptreid.tracking.tracker import RunInfo


@pytest.fixture
def info(tmp_path):
    """What trackers are told of a small run; `step` can be replaced."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.yaml").write_text("name: small\n")
    (folder / "environment.json").write_text('{"seed": 5}\n')
    (folder / "data.json").write_text("[]\n")
    recipe = {"name": "small", "stages": [{"name": "image", "epochs": 2}], "note": "x" * 900}
    files = tuple(folder / name for name in ("recipe.yaml", "environment.json", "data.json"))
    data = ({"spec": "folder:/a"},)
    return RunInfo("run", folder, recipe, {"seed": 5}, data, files=files)
