"""Small painted data in the places that the pages of the manual name, and runs on them."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from marked_frames import write_sequence
from PIL import Image

SIZE = 32


def picture(identity: int, number: int) -> Image.Image:
    """Paint a picture of an identity: its own coarse pattern, and noise of its own."""
    rng = np.random.default_rng([11, identity])
    pattern = rng.integers(0, 255, (4, 4, 3)).repeat(SIZE // 4, 0).repeat(SIZE // 4, 1)
    noise = np.random.default_rng([12, identity, number]).normal(0, 25, pattern.shape)
    return Image.fromarray(np.clip(pattern + noise, 0, 255).astype(np.uint8))


def save(place: Path, identity: int, number: int) -> None:
    """Write a picture, and the folders it lies in."""
    place.parent.mkdir(parents=True, exist_ok=True)
    picture(identity, number).save(place)


def people(root: Path, names: list[str], *, first: int, images: int = 3) -> None:
    """Write `root/NAME/N.jpg`, one folder for each person."""
    for identity, name in enumerate(names, start=first):
        for number in range(1, images + 1):
            save(root / name / f"{number}.jpg", identity, number)


def market(root: Path, *, first: int, name: str = "{:04d}_c{}s1_{:06d}_01.jpg") -> None:
    """Write the layout of Market-1501: eight people train, six are tested, two cameras."""
    for identity in range(1, 15):
        for number in range(4):
            file = name.format(identity, number % 2 + 1, number)
            if identity <= 8:
                folder = "bounding_box_train"
            else:
                folder = "query" if number == 0 else "bounding_box_test"
            save(root / folder / file, first + identity, number)


def msmt17(root: Path, train: str, test: str, *, first: int) -> None:
    """Write the layout of MSMT17 with its four lists."""
    lists: dict[str, list[str]] = {"train": [], "val": [], "query": [], "gallery": []}
    for person in range(14):
        folder, number_there = (train, person) if person < 8 else (test, person - 8)
        for number in range(4):
            camera = number % 2 + 1
            file = f"{number_there:04d}_{number:03d}_{camera:02d}_0303morning_0001_0.jpg"
            place = f"{number_there:04d}/{file}"
            save(root / folder / place, first + person, number)
            split = "train" if person < 8 else "query" if number == 0 else "gallery"
            lists[split].append(f"{place} {number_there}")
            if person < 8 and number == 3:
                lists["val"].append(lists["train"].pop())
    for split, lines in lists.items():
        (root / f"list_{split}.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def hands(root: Path, *, first: int) -> None:
    """Write the layout of 11k Hands: 16 people, two aspects, three pictures of each."""
    head = ["id", "age", "gender", "skinColor", "accessories", "nailPolish", "aspectOfHand",
            "imageName", "irregularities"]  # fmt: skip
    rows, count = [], 0
    for person in range(16):
        identity = 1000 + person if person < 8 else 1060 + person
        traits = ("male", "female")[person % 2], ("fair", "dark")[person % 3 % 2]
        for side, aspect in enumerate(
            ("dorsal right", "palmar right", "dorsal left", "palmar left")
        ):
            for number in range(3):
                count += 1
                file = f"Hand_{count:07d}.jpg"
                save(root / "Hands" / file, first + 4 * person + side, number)
                rows.append([identity, 30, *traits, 0, 0, aspect, file, 0])
    with (root / "HandInfo.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def table(place: Path, *, first: int) -> None:
    """Write a table of 14 people with cameras and splits, and its pictures beside it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "identity", "camera", "split"])
        for person in range(14):
            for number in range(4):
                image = f"{place.stem}-pictures/{person}_{number}.jpg"
                save(place.parent / image, first + person, number)
                split = "train" if person < 8 else "query" if number == 0 else "gallery"
                rows.writerow([image, f"{place.stem}{person}", f"c{number % 2}", split])


def closed_table(place: Path, *, first: int) -> None:
    """Write a table in which each individual trains and is tested, as tables of animals do."""
    with place.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "identity", "split"])
        for animal in range(10):
            for number in range(4):
                image = f"{place.stem}-pictures/{animal}_{number}.jpg"
                save(place.parent / image, first + animal, number)
                rows.writerow([image, f"animal{animal}", "test" if number == 3 else "train"])


def tar_file(place: Path, *, first: int) -> None:
    """Write a tar file as WebDataset lays it out."""
    with tarfile.open(place, "w") as packed:
        for number in range(4):
            stream = io.BytesIO()
            picture(first + number, 0).save(stream, "jpeg")
            content = {
                ".jpg": stream.getvalue(),
                ".json": json.dumps({"identity": str(number)}).encode(),
            }
            for ending, data in content.items():
                member = tarfile.TarInfo(f"{number:04d}{ending}")
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))


def write_data(root: Path) -> None:
    """Write all data that pages name below `/data`, each with identities of its own."""
    crops = ["anna", "ben", *(f"person {number}" for number in range(44))]
    people(root / "crops", crops, first=100)
    save(root / "who.jpg", 100, 9)
    people(root / "visitors", [f"visitor {number}" for number in range(16)], first=200)
    market(root / "Market-1501-v15.09.15", first=300)
    (root / "Market").symlink_to(root / "Market-1501-v15.09.15")
    market(root / "DukeMTMC-reID", first=320, name="{:04d}_c{}_f{:07d}.jpg")
    for number, kind in enumerate(("labeled", "detected")):
        market(root / "cuhk03" / kind, first=340 + 20 * number)
    msmt17(root / "MSMT17_V1", "train", "test", first=400)
    msmt17(root / "MSMT17_V2", "mask_train_v2", "mask_test_v2", first=420)
    hands(root / "11k", first=500)
    for number, name in enumerate(("cuhk-sysu", "cuhk03-old", "cuhk02", "prid-split0",
                                   "grid-split0", "viper-split0", "ilids-split0")):  # fmt: skip
        table(root / f"{name}.csv", first=600 + 20 * number)
    closed_table(root / "turtles.csv", first=760)
    for folder, first in (("unlabelled", 800), ("frames", 820)):
        for number in range(12):
            save(root / folder / f"{number}.jpg", first + number, 0)
    tar_file(root / "crops-0.tar", first=840)
    tracks = {"1": (0, 0, 20, 64), "2": (30, 0, 50, 64), "3": (60, 0, 80, 64)}
    for sequence in ("MOT17-02", "MOT17-04"):
        write_sequence(root / "MOT17" / "train" / sequence, [tracks] * 11)


def write_photos(folder: Path) -> None:
    """Write the loose photos that commands name without a folder: Anna's, and others'."""
    for number, name in enumerate(("a", "b", "c", "d", "photo", "1", "2")):
        save(folder / f"{name}.jpg", 100 + (name == "b"), 20 + number)
    for name in ("a/1", "a/2", "b/1"):
        save(folder / f"{name}.jpg", 100 + name.startswith("b"), 30 + len(name))


def copy_run(source: Path, target: Path) -> None:
    """Put a trained run in the place of one that a page takes as there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target)


def named_runs(words: list[str]) -> Iterator[str]:
    """Give the runs that a command reads: words such as `runs/mine`, also of `start.checkpoint`."""
    previous = ""
    for word in words:
        value = word.partition("=")[2] if word.startswith("start.checkpoint=") else word
        made = previous == "--out" and "--resume" not in words
        if value.startswith("runs/") and not made:
            yield "/".join(value.split("/")[:2])
        previous = word
