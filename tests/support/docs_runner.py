"""Runs the pages of the manual from top to bottom, on painted data and the smallest models."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.small_recipes import small_overrides
from docs_sandbox import copy_run, named_runs, write_data, write_photos
from docs_settings import ADDED, NOT_RUN, SMALLER, STAND_INS
from docs_snippets import Snippet, shell_words, snippets

from promptreid.actions import train_recipe
from promptreid.cli.main import main
from promptreid.config.recipes import load_recipe
from promptreid.progress import Silent
from promptreid.runs.run_folder import RunFolder
from promptreid.training.run.run_inputs import RunInputs
from promptreid.training.run.run_plan import TrainRequest, make_plan
from promptreid.training.run.train import train as train_whole


class Sandbox:
    """A folder that stands for the reader's machine, with data and runs that are made once."""

    def __init__(self, root: Path) -> None:
        """Paint the data below `root`."""
        self.root = root
        write_data(root / "data")
        self._runs: dict[str, Path] = {}
        self.trained: set[tuple[str, ...]] = set()
        self.planned = 0
        self.reported: dict[tuple[str, ...], str] = {}

    def run_for(self, name: str) -> Path:
        """Return the run that stands for one that a page takes as there."""
        recipe = stand_in(name)
        if recipe not in self._runs:
            self._runs[recipe] = self._train(recipe)
        return self._runs[recipe]

    def _train(self, recipe: str) -> Path:
        data = self.root / "data"
        spec = {
            "own": f"folder:{data}/crops",
            "pretrain-moco": f"images:{data}/unlabelled",
            "zero-shot/hand": f"hands11k:{data}/11k?aspect=dorsal_right",
            "prompt-learning": f"hands11k:{data}/11k?aspect=dorsal_right",
            "prompt-sg/hand-words": f"hands11k:{data}/11k?aspect=dorsal_right",
        }.get(recipe, f"market1501:{data}/Market-1501-v15.09.15")
        name = "clip-reid/tiny" if recipe == "own" else recipe
        request = TrainRequest(
            recipe=name,
            overrides=tuple(small_words(name, threshold=recipe == "own")),
            data=(spec, f"msmt17:{data}/MSMT17_V1") if recipe == "mta-clip" else (spec,),
            out=self.root / "stand-ins" / recipe.replace("/", "-"),
            device="cpu",
        )
        return train_whole(request, progress=Silent()).path


def stand_in(name: str) -> str:
    """Return the recipe of the run that stands for one of a name; other words as they are."""
    return next((recipe for start, recipe in STAND_INS if name.startswith(start)), name)


def small_words(recipe: str, *, threshold: bool) -> Iterator[str]:
    """Give the overrides that make a recipe train for a moment.

    Args:
        recipe: Name or file of the recipe.
        threshold: Whether images are held back to choose one.
    """
    loaded = load_recipe(recipe)
    for word in small_overrides(recipe):
        if not (threshold and word.startswith(("validation.", "backbone.pretrained"))):
            yield word
    if loaded.checkpoints.every:
        yield "checkpoints.every=1"


@dataclass
class PageRun:
    """One page as it is followed.

    Attributes:
        sandbox: Where the page is followed.
        folder: The reader's own folder.
        names: What the page's Python knows by now.
        printed: What the commands of the block before have printed.
        said: Each command that ran, with all that it said.
    """

    sandbox: Sandbox
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    printed: str = ""
    block: int = 0
    said: list[tuple[str, str]] = field(default_factory=list)

    def follow(self, page: Path) -> list[str]:
        """Do what a page says.

        Returns:
            What went wrong, one text for each snippet.
        """
        for name in ("tmp", "backup"):
            (self.folder / name).mkdir()
        write_photos(self.folder)
        problems = []
        for snippet in snippets(page):
            problem = self._try(snippet)
            if problem:
                problems.append(f"{snippet.place}: {snippet.text}\n{problem}")
        return problems

    def _placed(self, text: str) -> str:
        """Put places of the reader's machine into the sandbox, and sizes down."""
        for pattern, small in SMALLER:
            text = pattern.sub(small, text)
        homes = {"data": self.sandbox.root, "tmp": self.folder, "backup": self.folder}
        return re.sub(
            r"(?<![\w.])/(data|tmp|backup)/", lambda place: f"{homes[place[1]]}{place[0]}", text
        )

    def _try(self, snippet: Snippet) -> str:
        if snippet.kind == "output":
            return self._compare(snippet)
        if snippet.line != self.block:
            self.printed, self.block = "", snippet.line
        if snippet.kind == "python":
            return self._execute(snippet)
        if not_run(snippet.text):
            return ""
        words = shell_words(self._placed(snippet.text))
        if words[0] in ("cd", "mkdir"):
            return ""
        if words[0] != "promptreid":
            return "neither a command of promptreid, nor one that NOT_RUN of docs_settings names"
        return self._call(words[1:])

    def _call(self, words: list[str]) -> str:
        self._provide(words)
        words += self._changes(words)
        planned = words[0] == "train" and self._was_trained(words)
        written = tuple(stand_in(word) for word in words) if words[0] == "report" else None
        if written in self.sandbox.reported:  # of the same run: the page would be the same
            self.printed += self.sandbox.reported[written]
            return ""
        out, err = io.StringIO(), io.StringIO()
        code: Any = None
        with redirect_stdout(out), redirect_stderr(err), self._only_planned(planned):
            try:
                main(words)
            except SystemExit as done:
                code = done.code
        self.printed += out.getvalue()
        self.said.append((words[0], f"{out.getvalue()}\n{err.getvalue()}"))
        if written and code == 0:
            self.sandbox.reported[written] = out.getvalue()
        return "" if code == 0 else f"exit code {code}\n{out.getvalue()}{err.getvalue()}"

    def _provide(self, words: list[str]) -> None:
        """Put runs in the places from which the command reads them, and clear those it makes."""
        for name in named_runs(words):
            if not (self.folder / name).exists():
                copy_run(self.sandbox.run_for(name), self.folder / name)
        demo = self.folder / "runs" / "demo"
        if "runs/demo/" in " ".join(words) and not demo.exists():
            demo.mkdir(parents=True)
            for hands in ("hands-160-seed0", "hands-96-seed0"):
                (demo / hands).symlink_to(self.sandbox.root / "data" / "11k")

    def _changes(self, words: list[str]) -> list[str]:
        """Return what is added to a command so that it takes a moment."""
        if words[0] == "train" and "--resume" not in words:
            own = any(word.startswith(("folder:", "csv:")) for word in words)
            return [*small_words(words[1], threshold=own), "--device", "cpu", "--overwrite"]
        return list(ADDED.get(words[0], ()))

    def _was_trained(self, words: list[str]) -> bool:
        """Tell whether a recipe of this family has trained; from then on it is only planned."""
        key = (words[1].partition("/")[0], str(words.count("--data") > 1))
        seen = key in self.sandbox.trained
        self.sandbox.trained.add(key)
        return seen and "--resume" not in words

    def _only_planned(self, planned: bool) -> Any:
        if not planned:
            return contextlib.nullcontext()
        return mock.patch.object(train_recipe, "run_training", self._plan)

    def _plan(self, request: TrainRequest, *, progress: Any) -> RunFolder:
        """Do all of a training but its steps, and put a run that exists in its place."""
        self.sandbox.planned += 1
        plan, _ = make_plan(request)
        RunInputs.read(plan, progress=Silent())
        shutil.rmtree(plan.out, ignore_errors=True)
        copy_run(self.sandbox.run_for(f"runs/{plan.out.name}"), plan.out)
        return RunFolder.open(plan.out)

    def _execute(self, snippet: Snippet) -> str:
        try:
            for name in named_runs(re.findall(r'"(runs/[^"{]+)"', snippet.text)):
                if not (self.folder / name).exists():
                    copy_run(self.sandbox.run_for(name), self.folder / name)
            code = compile(self._placed(snippet.text), snippet.place, "exec")
            small = mock.patch.object(train_recipe, "run_training", _train_small)
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()), small:
                exec(code, self.names)
            self.printed = out.getvalue()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _compare(self, snippet: Snippet) -> str:
        """Compare the words of what is shown with the words of what was printed."""
        shown = set(re.findall(r"[a-z]{4,}", snippet.text.lower()))
        missing = shown - set(re.findall(r"[a-z]{4,}", self.printed.lower()))
        return f"not printed: {', '.join(sorted(missing))}\n{self.printed}" if missing else ""


def _train_small(request: TrainRequest, *, progress: Any) -> RunFolder:
    """Train what a piece of Python trains, for a moment."""
    own = any(spec.startswith(("folder:", "csv:")) for spec in request.data)
    small = () if request.recipe is None else small_words(request.recipe, threshold=own)
    words = (*request.overrides, *small)
    return train_whole(replace(request, overrides=words, device="cpu"), progress=progress)


def not_run(command: str) -> str:
    """Say why a command does not run in a test; empty for one that does."""
    return next((reason for pattern, reason in NOT_RUN if re.search(pattern, command)), "")
