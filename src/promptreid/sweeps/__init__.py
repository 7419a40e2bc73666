"""Sweeps and comparisons: many runs of recipes from one file, and their scores in one table.

Nothing here but `run_sweep` imports torch, so that planning and comparing answer at once.
"""

from __future__ import annotations

from promptreid.sweeps.comparison import compare_runs
from promptreid.sweeps.comparison_rows import ComparisonRow, RunComparison
from promptreid.sweeps.run_results import RunRecord, find_runs, read_runs
from promptreid.sweeps.sweep_plan import PlannedRun, plan_sweep

__all__ = [
    "ComparisonRow",
    "PlannedRun",
    "RunComparison",
    "RunRecord",
    "compare_runs",
    "find_runs",
    "plan_sweep",
    "read_runs",
]
