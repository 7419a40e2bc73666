"""From a folder of pictures to a threshold and a search page, one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptreid.actions.datasets.loaded_data import load_data
from promptreid.actions.first_steps.data_situation import explain_untrainable
from promptreid.actions.first_steps.noted_steps import NotedSteps
from promptreid.actions.first_steps.plain_words import (
    describe_answer,
    describe_faults,
    describe_pictures,
    describe_threshold,
)
from promptreid.actions.first_steps.training_steps import train_and_show
from promptreid.actions.first_steps.wishes import Say, Wishes
from promptreid.data.data_spec import parse_spec
from promptreid.data.folders.spec_suggestion import SpecSuggestion, suggest_spec
from promptreid.data.reader_registry import READERS
from promptreid.errors import DataError, OneIdentityError, RunError
from promptreid.files import full_path
from promptreid.progress import Progress
from promptreid.text.lists import counted

if TYPE_CHECKING:
    from promptreid.actions.searches.found_pictures import FoundPictures

_SHOWN = 3
_HEIC = (
    "To have HEIC pictures in, as telephones take them, convert them to JPEG and start again: in "
    "each folder, on a Mac by `sips -s format jpeg *.HEIC --out .`, elsewhere with ImageMagick by "
    "`magick mogrify -format jpg *.HEIC`."
)
_SORTED = (
    "Put the pictures of each individual into a folder of its own (anna/1.jpg, anna/2.jpg, "
    "ben/1.jpg, ...), and start again."
)
_UNNAMED = f"A training needs to know which pictures show the same individual. {_SORTED}"


@dataclass(frozen=True)
class Guide:
    """Leads from pictures to a search page.

    Attributes:
        place: The folder, or the data spec, as it was given.
        reading: How its pictures are read.
        steps: Steps so far.
        wishes: What is wanted.
    """

    place: str
    reading: SpecSuggestion
    steps: NotedSteps
    wishes: Wishes

    @classmethod
    def begin(
        cls, place: str, out: Path | None, wishes: Wishes, *, say: Say, progress: Progress
    ) -> Guide:
        """Find out how pictures are read, and begin or go on with a quickstart of them.

        Args:
            place: A folder, or a data spec.
            out: Folder for everything; None for one in `runs/` that is named after the place.
            wishes: What is wanted.
            say: Hears what people are told.
            progress: Where the work reports.

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
        steps = NotedSteps(folder, asked, say=say, progress=progress)
        return cls(place, reading, steps, wishes)

    def lead(self) -> dict[str, Any]:
        """Take all steps and return what they gave, JSON-ready."""
        self.steps.tell(f"{self.place}: all that is made goes to {self.steps.folder}.")
        for reason in self.reading.reasons:
            self.steps.tell(reason)
        if self.reading.heic:
            number = counted(len(self.reading.heic), "HEIC picture")
            self.steps.tell(f"It also holds {number}, which cannot be read. {_HEIC}")
        try:
            inspection = self._inspect()
        except OneIdentityError as error:
            return self._only_search(str(error), named=False)
        reason = explain_untrainable(inspection) if self.reading.named else _UNNAMED
        if reason:
            return self._only_search(reason, named=self.reading.named)
        for sentence in describe_faults(inspection):
            self.steps.tell(sentence)
        made = train_and_show(self.reading.spec, inspection, self.steps, self.wishes)
        made["page"] = self._search(made["gallery"])
        self._sum_up(made)
        return made

    def _inspect(self) -> Mapping[str, Any]:
        """Count and check the pictures; refuse others than those that were begun with.

        Raises:
            RunError: Pictures were added or taken away.
        """
        spec, progress = self.reading.spec, self.steps.progress
        with progress.doing(f"reading {spec}"):
            data = load_data(spec)
            fingerprint = data.manifest.fingerprint()
        before = self.steps.known.get("fingerprint", fingerprint)
        if fingerprint != before:
            raise RunError(
                f"The pictures of {self.place} are not those that {self.steps.folder} was begun "
                "with: some were added, taken away or moved. Give another --out to start anew."
            )
        self.steps.learn(fingerprint=fingerprint)

        def do() -> None:
            self.steps.learn(inspection=data.inspect(progress=progress).to_dict())

        self.steps.title("Look at the pictures")
        self.steps.take("data", "inspect", spec, do=do)
        for sentence in describe_pictures(self.steps.known["inspection"]):
            self.steps.tell(sentence)
        return self.steps.known["inspection"]

    def _only_search(self, reason: str, *, named: bool) -> dict[str, Any]:
        """Search the pictures by the small model of the package, and say the way on."""
        self.steps.title("No training with these pictures")
        self.steps.tell(reason)
        root = parse_spec(self.reading.spec).root
        place = self.reading.spec if named else f"images:{root}"
        self.steps.tell(
            "They can be searched all the same, by the small model that comes with promptreid:"
        )
        page = self._search(place)
        self.steps.title("What comes next")
        self.steps.show("search", place, "PICTURE.jpg", "--html", "found.html")
        self.steps.tell("finds the pictures that are most like another one, and writes a page.")
        self.steps.show("quickstart", self.place, "--out", f"{self.steps.folder}-2")
        self.steps.tell("goes on from here when the pictures are sorted.")
        return {"data": place, "reason": reason, "page": page}

    def _search(self, place: str) -> str | None:
        """Search for one of the pictures, and write what is found as a page."""
        from promptreid.figures.extra import INSTALL, missing

        self.steps.title("Search for one of the pictures")
        page, picture = self.steps.folder / "search.html", _pick_picture(self.reading.spec)
        words = ["search", place, str(picture), "--html", str(page)]
        words += self.wishes.device_words
        if missing("jinja2"):
            self.steps.tell(f"The page needs a package that is not installed: {INSTALL}. Then:")
            self.steps.show(*words)
            return None

        def do() -> str:
            from promptreid.actions.searches.picture_index import PictureIndex

            device, progress = self.wishes.device, self.steps.progress
            with PictureIndex.open(place, device=device, progress=progress) as index:
                found = index.search(picture, neighbours=True)
                found.write_page(page)
                return _describe_found(found, picture)

        self.steps.take(*words, do=do, leaves=page)
        return str(page)

    def _sum_up(self, made: Mapping[str, Any]) -> None:
        """Say what there is now, and the next two commands."""
        self.steps.title("What there is now")
        self.steps.tell(describe_threshold(made["threshold"]))
        pages = {"report": "how good the model is", "page": "what a search finds"}
        for key, what in pages.items():
            if made[key] is not None:
                self.steps.tell(f"{made[key]}  {what}; open it in a browser")
        self.steps.title("What comes next")
        gallery = made["gallery"]
        self.steps.show("search", gallery, "PICTURE.jpg", "--html", "found.html")
        self.steps.tell("says who a new picture shows, or nobody, and writes a page of it.")
        self.steps.show("serve", gallery)
        self.steps.tell(
            "opens a page in the browser on which pictures are dropped to be searched for."
        )
        if lacking := [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]:
            self.steps.tell(f"It needs {' and '.join(lacking)}: pip install 'promptreid[serve]'")


def _read_folder(folder: Path) -> SpecSuggestion:
    """Find out how a folder is read; say what to do where there is no picture.

    Raises:
        DataError: There is no such folder, or no picture in it.
    """
    try:
        return suggest_spec(folder)
    except DataError as error:
        remedy = _HEIC if "HEIC" in str(error) else "" if not folder.is_dir() else _SORTED
        raise DataError(f"{error} {remedy}".strip()) from error


def _describe_found(found: FoundPictures, picture: Path) -> str:
    """Say whom or which pictures a picture is most like."""
    record = found[0].to_dict(found.opened)
    rows = record.get("candidates") or record.get("pictures", [])
    best = [(row.get("identity") or row["picture"], row["score"]) for row in rows[:_SHOWN]]
    first = found.opened.gallery.picture(rows[0]["entry"]).path if rows else None
    return describe_answer(str(picture), best, is_enrolled=first == str(picture.absolute()))


def _pick_picture(spec: str) -> Path:
    """Pick a picture to search for: the first of the test, else the first of all."""
    root = parse_spec(spec).root
    try:
        manifest = load_data(spec).manifest
    except OneIdentityError:
        manifest = load_data(f"images:{root}").manifest
    row = int([*manifest.indices("query"), *manifest.indices("test"), 0][0])
    near = Path(root) / manifest.paths[row]
    return near if near.is_file() else manifest.image(row).path
