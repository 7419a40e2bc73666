"""What is changed so that the manual's commands run in a test, and what cannot run there."""

from __future__ import annotations

import re
from types import MappingProxyType

NOT_RUN = (
    (r"^(pip|source|uv|docker) ", "it installs"),
    (r"^(make|sqlite3|python3?) ", "it starts what other tests start"),
    (r"^python -m benchmarks|^python benchmarks", "benchmarks measure for minutes"),
    (r"^curl ", "it needs the service that the page starts; tests/serve asks one"),
    (r"^(torchrun|export|ray|sbatch|wandb) ", "it needs several processes, or a cluster"),
    (r"^promptreid serve(?! token)", "it serves until it is stopped; tests/cli/test_serve.py"),
    (r"postgresql://", "it needs a server; tests/gallery runs all verbs on one"),
    (r"--device cuda", "it needs a card"),
    (r"--track (wandb|mlflow)|--track tensorboard", "trackers have their own tests"),
    (r"^promptreid quickstart", "it trains for a minute; tests/cli/test_quickstart.py"),
    (r"^promptreid demo", "it takes minutes; tests/cli/test_demo.py"),
    (r"^promptreid pretrain", "it takes an hour; tests/cli has it at small size"),
    (r"^promptreid bench", "it measures for minutes; tests/benchmarks has it at small size"),
    (r"^promptreid export \S+ \S+\.onnx", "tracing takes a minute; tests/inference/exporting"),
    (r"figure umap", "umap-learn compiles itself for many seconds; tests/figures draws one"),
    (r"lessDataset_bregy|/data/hands\?", "it needs the public part of 11k Hands"),
    (r"/data/cuhk/", "it needs a public copy of CUHK03, and CUHK01"),
    (r"\.pth", "it needs a published checkpoint; tests/inference reads one that is made"),
    (r"gallery audit verify \S+ --noted", "the noted end is an example"),
    (r"import-config configs/", "it needs a file of other code; tests/moving has it"),
)  # fmt: skip
"""Commands that are checked and not run: a pattern, and why."""

ADDED = MappingProxyType(
    {
        "sweep": ("--dry-run",),
        "report": ("--map", "pca"),
    }
)
"""Words that are added to a command, so that it takes a second and not an hour."""

SMALLER = (
    (re.compile(r"--identities \d+"), "--identities 8"),
    (re.compile(r"--cameras \d+"), "--cameras 2"),
    (re.compile(r"\bdata synth (hands|people)"), r"data synth \1 --size 32 --workers 1"),
    (re.compile(r"--perplexity \d+"), "--perplexity 3"),
    (re.compile(r"\bSPEC\b"), "market1501:/data/Market-1501-v15.09.15"),
    (re.compile(r"/data/Market(?![-\w])"), "/data/Market-1501-v15.09.15"),
)
"""What is put in the place of sizes and of words that stand for something."""

STAND_INS = (
    ("runs/zero-shot", "zero-shot"),
    ("runs/prompt-sg", "prompt-sg/hand-words"),
    ("runs/my-prompt-sg", "prompt-sg/hand-words"),
    ("runs/sg", "prompt-sg/hand-words"),
    ("runs/left-out", "mta-clip"),
    ("runs/prompts", "prompt-learning"),
    ("runs/moco", "pretrain-moco"),
    ("runs/hands", "zero-shot/hand"),
    ("runs/mine", "own"),
    ("runs/my-run", "own"),
    ("runs/better", "own"),
    ("runs/", "clip-reid"),
)
"""The run that stands for one which a page takes as there: that of the first fitting beginning."""
