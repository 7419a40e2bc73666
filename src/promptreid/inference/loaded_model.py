"""A model that was loaded: where it computes, its threshold, and how it is passed on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from promptreid.data.images.preprocess import Preprocess
from promptreid.errors import ConfigError, WeightsError
from promptreid.evaluation.thresholds.stored_threshold import read_threshold
from promptreid.evaluation.thresholds.threshold import Threshold
from promptreid.hub.hub_files import HubCache
from promptreid.inference.device import pick_device, resolve_precision
from promptreid.models.checkpoint import save_model
from promptreid.models.checkpoint_info import CheckpointInfo
from promptreid.models.reid import ReIDModel
from promptreid.models.towers.precision import choose_precision, in_precision
from promptreid.runs.run_folder import RunFolder
from promptreid.text.number_words import write_threshold

if TYPE_CHECKING:
    from promptreid.inference.exporting.export_check import CheckImage
    from promptreid.inference.exporting.export_model import ExportedModel
    from promptreid.progress import Progress


class LoadedModel:
    """A trained model where it computes, with what its checkpoint says, and the ways to pass it on.

    Attributes:
        model: The model, in eval mode.
        info: What the checkpoint says of the model.
        device: Where it computes.
        precision: Number type of the matrices, "bf16", "fp16" or "fp32".
        threshold: From which score two images count as one identity, and what that rests on; None
            where none was chosen.
        source: The checkpoint that it was read from; None where it was made otherwise.
    """

    def __init__(
        self,
        model: ReIDModel,
        info: CheckpointInfo,
        *,
        device: str | torch.device = "cpu",
        precision: str = "fp32",
        source: Path | None = None,
    ) -> None:
        """Put a model where it computes.

        Raises:
            WeightsError: The threshold in `info` is damaged.
            ConfigError: The precision is unknown.
            ModelError: The architecture does not embed in 16 bits.
        """
        self.device = torch.device(device)
        automatic = resolve_precision("auto", self.device)
        self.precision = choose_precision(model, precision, automatic=automatic)
        self.model = in_precision(model, self.precision).to(self.device).eval()
        self.info, self.source = info, source
        self.threshold = read_threshold(info.verification)

    @property
    def preprocess(self) -> Preprocess:
        """Size, pixel statistics and filter that its images need."""
        return self.info.preprocess

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.model.embedding_width

    def __repr__(self) -> str:
        height, width = self.preprocess.image_size
        chosen = self.threshold
        facts = (
            f"{self.model.backbone.name}, images {height}x{width}, vectors of {self.width:,}",
            f"{self.precision} on {self.device}",
            f"threshold {write_threshold(chosen.threshold)} at FAR {chosen.far:g}"
            if chosen
            else "no threshold",
            *([] if self.source is None else [f"from {self.source}"]),
        )
        return f"{type(self).__name__}({', '.join(facts)})"

    def save(self, path: str | Path) -> Path:
        """Write the model as one promptreid checkpoint, with its threshold and pre-processing.

        `promptreid.load` and every command read it. The file is written in one step.

        Args:
            path: A file that ends in `.safetensors`; an earlier one is replaced.

        Returns:
            The path.

        Raises:
            WeightsError: The name has another ending.
            ConfigError: The model was loaded in 16 bits.
            RunError: The file cannot be written.
        """
        file = Path(path)
        if file.suffix != ".safetensors":
            raise WeightsError(f"{file} is to be a checkpoint; end its name with .safetensors.")
        self._check_float32()
        save_model(file, self.model, self.info)
        return file

    def with_threshold(self, threshold: Threshold | None) -> Self:
        """Return the same model with another threshold for the same identity, or with none."""
        other = copy(self)
        record = None if threshold is None else threshold.to_dict()
        other.info, other.threshold = self.info.updated(verification=record), threshold
        return other

    def export(
        self,
        path: str | Path,
        *,
        to: str | None = None,
        images: Iterable[str | CheckImage] = (),
        overwrite: bool = False,
        progress: Progress | None = None,
        **options: Any,
    ) -> ExportedModel:
        """Write the model as a file for other programs, compared with the model.

        Args:
            path: FILE.onnx, FILE.pt2, or FILE.pth for the layout of published CLIP-ReID.
            to: The format, where the name does not say it: "onnx", "pt2" or "clip-reid".
            images: Real images to compare the two on; drawn ones without.
            overwrite: Replace a file that is there.
            progress: Where to report; None for silence.
            options: Fields of `ExportOptions`, such as `consumer="boxmot"`, `camera="input"` or
                `half=True`.

        Returns:
            What was written, and how it compares.

        Raises:
            ConfigError: An option is unknown or does not fit, a file is there, a package is
                missing, or the model was loaded in 16 bits.
            ModelError: The model cannot be written so, or the file does not compute what it does.
        """
        from promptreid.inference.exporting.export_model import export_model
        from promptreid.inference.exporting.export_options import read_options

        self._check_float32()
        return export_model(
            self.model,
            self.info,
            Path(path),
            read_options(options),
            to=to,
            images=[Path(image) if isinstance(image, str) else image for image in images],
            overwrite=overwrite,
            progress=progress,
        )

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        name: str | None = None,
        license: str | None = None,
        base_model: str | None = None,
        scores: Mapping[str, Any] | None = None,
        with_identities: bool = False,
        overwrite: bool = False,
    ) -> Path:
        """Write a folder for the Hugging Face Hub: weights, `config.json` and a model card.

        Paths of this machine are left out, and identities that were trained on become numbers. The
        card has the scores of the run that the model was loaded from.

        Args:
            folder: Where; a folder that is not empty is refused.
            name: What the model is called; None for the name of the folder.
            license: Identifier of the licence of the weights, such as "mit" or "cc-by-nc-4.0".
            base_model: Repository of the weights it was started from, where that is not known.
            scores: What `promptreid evaluate --intervals --json FILE` wrote, in place of those of
                the run.
            with_identities: Keep the names of the identities.
            overwrite: Replace a folder that was written so.

        Returns:
            The folder.

        Raises:
            ConfigError: The folder holds something, `scores` are none, or the model was loaded in
                16 bits.
        """
        from promptreid.inference.exporting.hub_folder import save_hub_folder
        from promptreid.inference.exporting.model_card import CardFacts, read_scores

        self._check_float32()
        folder = Path(folder)
        given = None if scores is None else read_scores(scores)
        save_hub_folder(
            self.model,
            self.info,
            folder,
            CardFacts(name or folder.absolute().name, license, base_model, given),
            run=None if self.source is None else RunFolder.of(self.source),
            with_identities=with_identities,
            overwrite=overwrite,
        )
        return folder

    @classmethod
    def from_pretrained(
        cls,
        place: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        device: str | None = None,
    ) -> Self:
        """Load a model of the Hugging Face Hub, or a folder that `save_pretrained` wrote.

        Args:
            place: "OWNER/NAME" or a folder.
            revision: Branch, tag or commit; None for the newest of the main branch.
            cache_dir: Where fetched files stay; None for `HF_HUB_CACHE` or `HF_HOME`.
            token: For private repositories; None for `HF_TOKEN` or that of a login.
            local_files_only: Take what was fetched before and ask nobody.
            force_download: Fetch it again.
            device: Where it computes; None for the best there is.

        Raises:
            WeightsError: There is no such repository, revision or file, or it cannot be had now.
            ConfigError: The name is neither a folder nor a repository, or the device is not there.
        """
        from promptreid.inference.exporting.hub_folder import load_described, load_hub_folder

        cache = HubCache(
            local_files_only=local_files_only,
            cache_dir=None if cache_dir is None else Path(cache_dir),
            token=token,
            force_download=force_download,
        )
        path = load_hub_folder(place, revision=revision, cache=cache)
        model, info = load_described(path)
        return cls(model, info, device=pick_device(device), source=path)

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool = False,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool = False,
        commit_message: str = "Model written by promptreid",
        **card: Any,
    ) -> str:
        """Send the model to the Hugging Face Hub, in one commit.

        Args:
            repository: "OWNER/NAME"; it is made where there is none.
            private: Whether a repository that is made is private.
            token: One that may write; None for `HF_TOKEN` or that of a login.
            branch: None for the main branch.
            create_pr: Propose the change instead of making it.
            commit_message: What the change is.
            card: Further arguments of `save_pretrained`: `license`, which a public model needs,
                `base_model`, `scores`, `with_identities`.

        Returns:
            The address of the commit.

        Raises:
            ConfigError: A public model has no licence, or the hub refuses.
        """
        from promptreid.hub.hub_upload import Upload, upload_folder

        upload = Upload(repository, private, token, branch, create_pr, commit_message)
        if not private and not card.get("license"):
            raise ConfigError(
                "A public model needs a licence, so that others know what they may do with it: "
                "license='mit', 'cc-by-nc-4.0', 'other', ... Or send it with private=True."
            )
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / upload.repository.partition("/")[2]
            self.save_pretrained(folder, **card)
            return upload_folder(folder, upload)

    def _check_float32(self) -> None:
        if self.precision != "fp32":
            raise ConfigError(
                f"The model was loaded in {self.precision}, and is passed on in float32. Load it "
                "with precision='fp32'; export(..., half=True) writes 16 bits."
            )
