"""The table of what settings of memory cost runs, and its losses agree."""

import re

import pytest
from benchmarks.memory_settings import ROWS, main
from click.testing import CliRunner

pytestmark = pytest.mark.slow


def test_every_setting_without_a_compiler_has_the_same_loss():
    names = [name for name, settings in ROWS.items() if "compile" not in settings]
    options = ["--quick", "--precision", "fp32", "--images", "8", "--device", "cpu"]
    result = CliRunner().invoke(main, [*names, *options], catch_exceptions=False)
    losses = [float(loss) for loss in re.findall(r"loss ([\d.]+)", result.output)]
    assert len(losses) == len(names)
    assert losses == pytest.approx([losses[0]] * len(losses), abs=1e-5)
    assert [line.split("  ")[0].strip() for line in result.output.splitlines()[1:]] == names
