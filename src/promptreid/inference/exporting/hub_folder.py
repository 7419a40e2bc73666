"""A model as a folder for the hub: weights, their description, and a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from promptreid.errors import ConfigError, WeightsError
from promptreid.files import name_entries, replacing_folder, write_json, write_text
from promptreid.hub.hub_address import PREFIX, HubAddress, is_hub_address, parse_hub_address
from promptreid.hub.hub_files import CONFIG_FILE, MODEL_FILE, HubCache, fetch_file
from promptreid.inference.exporting.model_card import CardFacts, write_card
from promptreid.inference.exporting.public_model import make_public
from promptreid.models.checkpoint import FORMAT, load_model, save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.runs.run_folder import RunFolder

CARD_FILE = "README.md"
FILES = (MODEL_FILE, CONFIG_FILE, CARD_FILE)


def save_hub_folder(
    model: ReIDModel,
    info: CheckpointInfo,
    folder: Path,
    facts: CardFacts,
    *,
    run: RunFolder | None = None,
    with_identities: bool = False,
    overwrite: bool = False,
) -> None:
    """Write `model.safetensors`, `config.json` and `README.md` into a folder, in one step.

    Args:
        model: In float32.
        info: What its checkpoint says.
        folder: Where; made, or empty, unless it may be overwritten.
        facts: What goes into the card.
        run: Where the model was trained, for the card; None where that is not known.
        with_identities: Keep the names of the identities that were trained on.
        overwrite: Replace a folder that holds such files and nothing else.

    Raises:
        ConfigError: The folder holds something.
    """
    _check_folder(folder, overwrite=overwrite)
    public, record = make_public(model, info, with_identities=with_identities)
    with replacing_folder(folder) as fresh:
        save_model(fresh / MODEL_FILE, public, record)
        write_json(fresh / CONFIG_FILE, describe_folder(public, record))
        write_text(fresh / CARD_FILE, write_card(public, record, facts, run))


def load_hub_folder(place: str | Path, *, revision: str | None, cache: HubCache) -> Path:
    """Return the checkpoint of a folder, or of a repository on the hub, whose files agree.

    Args:
        place: A folder, `OWNER/NAME`, or an address on the hub.
        revision: Branch, tag or commit of a repository; None for the newest of the main branch.
        cache: How the hub is asked.

    Raises:
        WeightsError: A file is missing or damaged, or the two say different things.
        ConfigError: The name is neither a folder nor a repository.
    """
    folder = Path(place)
    if folder.is_dir():
        for name in (MODEL_FILE, CONFIG_FILE):
            if not (folder / name).is_file():
                raise WeightsError(
                    f"{folder} has no {name}; it holds {name_entries(folder)}. Give a folder that "
                    "save_pretrained wrote; runs are read by promptreid.load."
                )
        return folder / MODEL_FILE
    text = str(place)
    address = parse_hub_address(text if is_hub_address(text) else PREFIX + text)
    if revision is not None:
        address = HubAddress(address.repository, revision, address.file)
    fetched = fetch_file(HubAddress(address.repository, address.revision, CONFIG_FILE), cache=cache)
    return fetch_file(address.pinned(fetched.commit), cache=cache).path


def load_described(path: Path) -> tuple[ReIDModel, CheckpointInfo]:
    """Load a checkpoint, and refuse it where `config.json` beside it describes another model.

    Raises:
        WeightsError: The checkpoint is damaged, or the two disagree.
    """
    model, info = load_model(path)
    config = path.with_name(CONFIG_FILE)
    if not is_described(path):
        return model, info
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(f"{config} is no JSON: {error}. Fetch the model again.") from error
    wanted = json.loads(json.dumps(describe_folder(model, info)))
    differing = [
        key for key in wanted if not isinstance(said, dict) or said.get(key) != wanted[key]
    ]
    if differing:
        raise WeightsError(
            f"{config} describes another model than the weights beside it ({', '.join(differing)} "
            "differ). They are not of one version; fetch the model again, or take config.json away."
        )
    return model, info


def is_described(path: Path) -> bool:
    """Tell whether a checkpoint is that of a folder for the hub, with `config.json` beside it."""
    return path.name == MODEL_FILE and path.with_name(CONFIG_FILE).is_file()


def describe_folder(model: ReIDModel, info: CheckpointInfo) -> dict[str, Any]:
    """Return what `config.json` holds: what the checkpoint says, for programs that read no more."""
    return {
        "library_name": "promptreid",
        "format": FORMAT,
        "model": model.describe(),
        "preprocess": info.preprocess.to_dict(),
        "embedding_width": model.embedding_width,
        "cameras": list(info.sides.cameras),
        "views": list(info.sides.views),
        "verification": info.verification,
        "recipe": None if info.recipe is None else info.recipe.name,
    }


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    if folder.is_file():
        raise ConfigError(f"{folder} is a file; give a folder.")
    entries = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if not entries or (overwrite and entries <= set(FILES)):
        return
    way = "" if overwrite else ", or --overwrite for one that holds an exported model"
    raise ConfigError(
        f"The folder {folder} is not empty: it holds {name_entries(folder)}. Give another{way}."
    )
