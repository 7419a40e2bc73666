"""From a folder of pictures to a threshold and a search page, one command after the other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from promptreid.cli.first_steps.command_steps import CommandSteps
from promptreid.cli.first_steps.data_situation import explain_untrainable
from promptreid.cli.first_steps.training_steps import train_and_show
from promptreid.cli.first_steps.wishes import Wishes, tell
from promptreid.data.data_spec import parse_spec
from promptreid.data.folders.spec_suggestion import SpecSuggestion, suggest_spec
from promptreid.data.reader_registry import READERS
from promptreid.errors import DataError, RunError
from promptreid.files import full_path
from promptreid.text.lists import counted
from promptreid.text.number_words import alike_digits

_FEW = 20  # identities below which a threshold is a rough guide
_HEIC = (
    "To have HEIC pictures in, as telephones take them, convert them to JPEG and start again: in "
    "each folder, on a Mac by `sips -s format jpeg *.HEIC --out .`, elsewhere with ImageMagick by "
    "`magick mogrify -format jpg *.HEIC`."
)
_UNNAMED = (
    "A training needs to know which pictures show the same individual. Put the pictures of each "
    "into a folder of its own (anna/1.jpg, anna/2.jpg, ben/1.jpg, ...), and start again."
)


@dataclass(frozen=True)
class Guide:
    """Leads from pictures to a search page.

    Attributes:
        place: The folder, or the data spec, as it was given.
        reading: How its pictures are read.
        steps: Commands so far.
        wishes: What is wanted.
    """

    place: str
    reading: SpecSuggestion
    steps: CommandSteps
    wishes: Wishes

    @classmethod
    def begin(cls, place: str, out: Path | None, wishes: Wishes) -> Guide:
        """Find out how pictures are read, and begin or go on with a quickstart of them.

        Args:
            place: A folder, or a data spec.
            out: Folder for everything; None for one in `runs/` that is named after the place.
            wishes: What is wanted.

        Raises:
            DataError: There is no such folder, or no picture in it.
            RunError: The folder for everything holds something else.
        """
        root = Path(place)
        if place.partition(":")[0] in READERS and not root.exists():
            spec = parse_spec(place)
            root, reading = Path(spec.root), SpecSuggestion(place, spec.name != "images", ())
        else:
            reading = _read_folder(root)
        folder = out or Path("runs") / (full_path(root).stem or "quickstart")
        asked = {"pictures": reading.spec, **wishes.to_dict()}
        return cls(place, reading, CommandSteps(folder, asked), wishes)

    def lead(self) -> dict[str, Any]:
        """Take all steps and return what they gave, JSON-ready."""
        tell(f"{self.place}: all that is made goes to {self.steps.folder}.")
        for reason in self.reading.reasons:
            tell(reason)
        if self.reading.heic:
            number = counted(len(self.reading.heic), "HEIC picture")
            tell(f"It also holds {number}, which cannot be read. {_HEIC}")
        try:
            inspection = self._inspect()
        except DataError as error:
            if not str(error).startswith("All "):
                raise
            return self._only_search(str(error))
        reason = explain_untrainable(inspection) if self.reading.named else _UNNAMED
        if reason:
            return self._only_search(reason)
        made = train_and_show(self.reading.spec, inspection, self.steps, self.wishes)
        made["page"] = self._search(made["gallery"], ())
        self._sum_up(made)
        return made

    def _inspect(self) -> dict[str, Any]:
        """Count and check the pictures; refuse others than those that were begun with.

        Raises:
            RunError: Pictures were added or taken away.
        """
        from promptreid.data.load_data import load_data

        file, spec = self.steps.folder / "inspection.json", self.reading.spec
        fingerprint = load_data(spec).manifest.fingerprint()
        before = self.steps.known.get("fingerprint", fingerprint)
        if fingerprint != before:
            raise RunError(
                f"The pictures of {self.place} are not those that {self.steps.folder} was begun "
                "with: some were added, taken away or moved. Give another --out to start anew."
            )
        self.steps.learn(fingerprint=fingerprint)
        self.steps.title("Look at the pictures")
        self.steps.run("data", "inspect", spec, "--json", str(file), leaves=file)
        return json.loads(file.read_text(encoding="utf-8"))

    def _only_search(self, reason: str) -> dict[str, Any]:
        """Search the pictures by the small model of the package, and say the way on."""
        self.steps.title("No training with these pictures")
        tell(reason)
        root = parse_spec(self.reading.spec).root
        place = self.reading.spec if self.reading.named else f"images:{root}"
        if reason.startswith("All "):
            place = f"images:{root}"
        tell("They can be searched all the same, by the small model that comes with promptreid:")
        page = self._search(place, self.wishes.device_words)
        self.steps.title("What comes next")
        self.steps.show("search", place, "PICTURE.jpg", "--html", "found.html")
        tell("finds the pictures that are most like another one, and writes them as a page.")
        self.steps.show("quickstart", self.place, "--out", f"{self.steps.folder}-2")
        tell("goes on from here when the pictures are sorted.")
        return {"data": place, "reason": reason, "page": page}

    def _search(self, place: str, more: tuple[str, ...]) -> str | None:
        """Search for one of the pictures, and write what is found as a page."""
        from promptreid.figures.extra import INSTALL, missing

        self.steps.title("Search for one of the pictures")
        page = self.steps.folder / "search.html"
        words = ("search", place, str(_pick_picture(self.reading.spec)), "--html", str(page), *more)
        if missing("jinja2"):
            tell(f"The page needs a package that is not installed: {INSTALL}. Then:")
            self.steps.show(*words)
            return None
        self.steps.run(*words, leaves=page)
        return str(page)

    def _sum_up(self, made: dict[str, Any]) -> None:
        """Say what there is now, and the next two commands."""
        self.steps.title("What there is now")
        tell(_describe_threshold(made["threshold"]))
        pages = {"report": "how good the model is", "page": "what a search finds"}
        for key, what in pages.items():
            if made[key] is not None:
                click.echo(f"  {made[key]}  {what}; open it in a browser")
        self.steps.title("What comes next")
        gallery = made["gallery"]
        self.steps.show("search", gallery, "PICTURE.jpg", "--html", "found.html")
        tell("says who a new picture shows, or nobody, and writes a page of it.")
        self.steps.show("serve", gallery)
        tell("opens a page in the browser on which pictures are dropped to be searched for.")
        if lacking := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
            tell(f"It needs {' and '.join(lacking)}: pip install 'promptreid[serve]'")


def _read_folder(folder: Path) -> SpecSuggestion:
    """Find out how a folder is read; say how HEIC pictures are converted where there are no others.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    try:
        return suggest_spec(folder)
    except DataError as error:
        raise DataError(f"{error} {_HEIC}" if "HEIC" in str(error) else str(error)) from error


def _pick_picture(spec: str) -> Path:
    """Pick a picture to search for: the first of the test, else the first of all."""
    from promptreid.data.load_data import load_data

    root = parse_spec(spec).root
    try:
        manifest = load_data(spec).manifest
    except DataError:  # all show one identity
        manifest = load_data(f"images:{root}").manifest
    row = int([*manifest.indices("query"), *manifest.indices("test"), 0][0])
    near = Path(root) / manifest.paths[row]
    return near if near.is_file() else manifest.image(row).path


def _describe_threshold(threshold: Mapping[str, Any] | None) -> str:
    if threshold is None:
        return (
            "There is no threshold: there are too few individuals to say how high strangers score. "
            "Searches still rank who is most alike."
        )
    few = threshold["identities"] < _FEW
    score = threshold["threshold"]
    rough = "; it was chosen on few individuals, so take it as a rough guide" if few else ""
    return (
        "Two pictures count as the same individual from a score of "
        f"{score:.{alike_digits([score])}f} on. At most 1 in {round(1 / threshold['far']):,} pairs "
        f"of strangers score so high{rough}."
    )
