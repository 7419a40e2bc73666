"""Names of the files and folders inside a run; only this room uses them."""

from __future__ import annotations

RECIPE, ENVIRONMENT, DATA, IMAGES = "recipe.yaml", "environment.json", "data.json", "images.csv"
STATUS, METRICS, SCORES = "status.json", "metrics.csv", "scores.json"
LEDGER, LOCK, LOG, NOTE = "run.json", ".lock", "log.txt", "note.txt"
CHECKPOINTS, CACHE = "checkpoints", "cache"
LAST, BEST = "last.safetensors", "best.safetensors"
