"""`promptreid import-config` prints a command that works."""

import json
import shlex

from click.testing import CliRunner

from promptreid.cli.main import cli
from promptreid.config.recipes import load_recipe

OLD = """
MODEL: {NAME: RN50}
INPUT: {SIZE_TRAIN: [256, 128], SIZE_TEST: [256, 128]}
DATALOADER: {SAMPLER: softmax_triplet, NUM_INSTANCE: 4}
SOLVER: {BASE_LR: 3.5e-4, WARMUP_ITERS: 10, MAX_EPOCHS: 120, BIAS_LR_FACTOR: 2}
TEST: {NECK_FEAT: before, RE_RANKING: False}
"""


def run(*arguments):
    return CliRunner().invoke(cli, ["import-config", *map(str, arguments)])


def test_command_recipe_and_json(tmp_path):
    file, mine = tmp_path / "old.yml", tmp_path / "mine.yaml"
    file.write_text(OLD)
    result = run(
        file, "DATASETS.NAMES", "market1501", "--out", mine, "--json", tmp_path / "told.json"
    )
    assert result.exit_code == 0, result.output
    assert "TEST.RE_RANKING: False (the original reads it" in result.output
    command = shlex.split(result.output.splitlines()[-2])
    assert command[:3] == ["promptreid", "train", str(mine)]
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["recipe"] == "clip-reid/cnn"
    words = shlex.split(told["command"])
    overrides = words[3 : words.index("--data")]
    same = {"name", "description", "source"}
    wanted = load_recipe(words[2], overrides).model_dump(exclude=same)
    assert load_recipe(str(mine)).model_dump(exclude=same) == wanted
    again = run(file, "--out", mine)
    assert again.exit_code != 0
    assert "is not overwritten" in str(again.exception)
