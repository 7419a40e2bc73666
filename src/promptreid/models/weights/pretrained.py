"""Where the weights of a backbone come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT, HF_HUB_OFFLINE
from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME
from open_clip.pretrained import (
    download_pretrained,
    get_pretrained_cfg,
    list_pretrained_tags_by_model,
)

from promptreid.data.images.preprocess import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocess,
)
from promptreid.errors import ModelError, WeightsError, first_line, unknown_name
from promptreid.files import name_entries
from promptreid.hub.hub_address import HubAddress, is_hub_address, parse_hub_address
from promptreid.hub.hub_files import WEIGHT_FILES, check_host, fetch_file
from promptreid.models.image_only.solider_swin import IMAGE_SIZE, SOLIDERS
from promptreid.models.image_only.transreid_vit import TRANSREIDS
from promptreid.models.weights import tiny
from promptreid.models.weights.architecture import TINY, Architecture
from promptreid.models.weights.beside_weights import (
    FindFile,
    read_hf_config,
    read_openclip_config,
)
from promptreid.models.weights.hf_clip_names import has_hf_names, to_openai_names
from promptreid.models.weights.weight_files import Weights, read_weights

NONE, AUTO, OPENAI = "none", "auto", "openai"
_OPENCLIP = "open_clip_"
_FILE_ENDINGS = (".pt", ".pth", ".bin", ".safetensors", ".ckpt")


@dataclass(frozen=True)
class WeightSource:
    """Weights found for an architecture.

    Attributes:
        weights: Tensors; None for random weights.
        origin: Tag, path, "none" or "tiny", for the record and for messages.
        native: Size, mean and deviation of the training images.
        quick_gelu: Activation the weights were trained with, None where it is not known.
    """

    weights: Weights | None
    origin: str
    native: Preprocess
    quick_gelu: bool | None = None


def find_weights(architecture: Architecture, pretrained: str | Path) -> WeightSource:
    """Resolve the `pretrained` argument of `build_backbone`.

    Raises:
        ModelError: The tag is unknown, or its download fails.
        WeightsError: The file cannot be read.
    """
    tag = str(pretrained)
    if tag == NONE:
        return WeightSource(
            None, NONE, _native_preprocess(architecture, _first_config(architecture.name))
        )
    if architecture.name == TINY and tag == AUTO:
        if not tiny.WEIGHTS.is_file():
            raise WeightsError(
                f"The weights of `tiny` are not installed ({tiny.WEIGHTS} is missing). Reinstall "
                "promptreid, make them with `promptreid pretrain`, or choose pretrained=none."
            )
        return WeightSource(read_weights(tiny.WEIGHTS), TINY, tiny.NATIVE)
    if is_hub_address(tag):
        return _find_on_hub(architecture, parse_hub_address(tag))
    tags = list_pretrained_tags_by_model(architecture.name)
    if tag == AUTO:
        if not tags:
            raise ModelError(
                f"OpenCLIP lists no weights for {architecture.name}. Give a weights file as "
                "`pretrained`, or 'none' for random weights."
            )
        tag = OPENAI if OPENAI in tags else tags[0]
    config = get_pretrained_cfg(architecture.name, tag)
    if config:
        weights = read_weights(_download(architecture.name, tag, config))
        native = _native_preprocess(architecture, config)
        return WeightSource(weights, tag, native, bool(config.get("quick_gelu", False)))
    path = _find_in_folder(Path(tag)) if Path(tag).is_dir() else Path(tag)
    if not path.is_file():
        if "/" in tag or tag.endswith(_FILE_ENDINGS):
            raise WeightsError(f"There is no weights file at {tag}.")
        raise ModelError(
            unknown_name(f"set of weights for {architecture.name}", tag, [AUTO, NONE, *tags])
            + " A path to a weights file is taken too, and hf:OWNER/NAME on the Hugging Face Hub."
        )
    beside = path.with_name
    return _open_file(
        architecture,
        path,
        origin=tag,
        find=lambda name: beside(name) if beside(name).is_file() else None,
    )


def _find_on_hub(architecture: Architecture, address: HubAddress) -> WeightSource:
    fetched = fetch_file(address, WEIGHT_FILES)
    pinned = address.pinned(fetched.commit)

    def find(name: str) -> Path | None:
        try:
            return fetch_file(replace(pinned, file=name)).path
        except WeightsError:  # there is none, or none was fetched while there was a network
            return None

    return _open_file(architecture, fetched.path, origin=str(pinned), find=find)


def _open_file(
    architecture: Architecture, path: Path, *, origin: str, find: FindFile
) -> WeightSource:
    """Read a file of weights, and what lies beside it to say how they were trained.

    Args:
        architecture: What they are for.
        path: The file.
        origin: Where it comes from, in words.
        find: Finds a file beside it.
    """
    weights = read_weights(path)
    native = _native_preprocess(architecture, _first_config(architecture.name))
    quick_gelu = True if weights.openai else None
    if has_hf_names(weights.tensors):
        quick_gelu, native = read_hf_config(find, native)
        weights = Weights(to_openai_names(weights.tensors), openai=False)
    elif path.name.startswith(_OPENCLIP) and not weights.openai:
        quick_gelu, native = read_openclip_config(find, native)
    return WeightSource(weights, origin, native, quick_gelu)


def _find_in_folder(folder: Path) -> Path:
    """Find the weights in a folder as the Hugging Face Hub has them.

    Raises:
        WeightsError: There are none.
    """
    names = (*WEIGHT_FILES, HF_WEIGHTS_NAME)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(
        f"{folder} holds none of {', '.join(names)}, but {name_entries(folder)}. Name the file of "
        "the weights."
    )


def can_reach_weights(name: str) -> bool:
    """Tell whether the weights that `auto` takes for an architecture are here or can be fetched.

    What was not fetched yet is judged by whether there is a network that knows its server.
    """
    tags = list_pretrained_tags_by_model(name)
    if not tags:
        return False
    config = get_pretrained_cfg(name, OPENAI if OPENAI in tags else tags[0])
    hub = config.get("hf_hub")
    if hub and _find_cached(hub) is not None:
        return True
    if hub and HF_HUB_OFFLINE:
        return False
    try:
        check_host(ENDPOINT if hub else config.get("url", ""))
    except OSError:
        return False
    return True


def _download(name: str, tag: str, config: Mapping[str, Any]) -> Path:
    hub, url = config.get("hf_hub"), config.get("url")
    cached = _find_cached(hub) if hub else None
    if cached is not None:
        return cached
    try:
        check_host(ENDPOINT if hub else str(url))
        return Path(download_pretrained(dict(config)))
    except Exception as error:  # the hub client raises many kinds, none of them documented
        source = str(hub or url).rstrip("/")
        raise ModelError(
            f"The weights {tag!r} of {name} could not be fetched from {source} "
            f"({type(error).__name__}: {first_line(error)}). Without a network, copy the weights "
            "file here and name it by backbone.pretrained=FILE, or use the backbone 'tiny', which "
            "needs no download."
        ) from error


def _find_cached(hub: str) -> Path | None:
    """Find a file that an earlier download left, without asking the network."""
    repository, name = hub.rsplit("/", 1)
    names = (name,) if name else (HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME)
    if name.endswith((".bin", ".pth")):
        names = (name[:-4] + ".safetensors", name)
    for candidate in names:
        path = try_to_load_from_cache(repository, candidate)
        if isinstance(path, str):
            return Path(path)
    return None


def _first_config(name: str) -> Mapping[str, Any]:
    tags = list_pretrained_tags_by_model(name)
    return get_pretrained_cfg(name, tags[0]) if tags else {}


def _native_preprocess(architecture: Architecture, config: Mapping[str, Any]) -> Preprocess:
    if architecture.name == TINY:
        return tiny.NATIVE
    if architecture.name in SOLIDERS:
        return Preprocess(IMAGE_SIZE, HALF, HALF, "bicubic", "bilinear")
    if architecture.name in TRANSREIDS:
        return Preprocess((256, 128), HALF, HALF, "bicubic", "bilinear")
    if not architecture.has_text:
        return Preprocess((256, 128), IMAGENET_MEAN, IMAGENET_STD, "bilinear", "bilinear")
    size = architecture.config["vision_cfg"].get("image_size", 224)
    height, width = (size, size) if isinstance(size, int) else size
    return Preprocess(
        image_size=(height, width),
        mean=_read_triple(config.get("mean") or CLIP_MEAN),
        std=_read_triple(config.get("std") or CLIP_STD),
        train_interpolation="bicubic",
        test_interpolation="bicubic",
    )


def _read_triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
