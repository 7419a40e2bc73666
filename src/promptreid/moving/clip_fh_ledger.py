"""What all configurations of CLIP-FH have in common: data, tower, sentence, idle keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptreid.moving.clip_fh_defaults import ASPECTS, BACKBONES, DROPPED, known_keys
from promptreid.moving.key_ledger import KeyLedger
from promptreid.moving.translation import KeyNote, as_override
from promptreid.text.lists import listed
from promptreid.text.suggest import closest, did_you_mean

ITS_CODE = "its code"
"""Stands for a key in notes on what the original does whatever its file says."""

_IMAGES = 4  # of each identity in a batch, as all recipes for hands have


@dataclass
class ClipFhLedger(KeyLedger):
    """The ledger of a configuration of CLIP-FH."""

    def change(
        self, key: str, reason: str, settings: Mapping[str, Any] | None = None, became: str = ""
    ) -> None:
        """Take the nearest of a key, and say why it is not the same.

        Args:
            key: The key; it is told where the file has it.
            reason: Why it became something else.
            settings: What a recipe must have.
            became: What is written of it; the settings by default.
        """
        self.settings |= settings or {}
        if key in self.told:
            words = [f"{name}={as_override(value)}" for name, value in (settings or {}).items()]
            note = KeyNote(key, self.told[key], became or " ".join(words), reason)
            self.changed.append(note)

    def say_of_code(self, does: str, became: str, reason: str) -> None:
        """Note what the original does whatever its file says."""
        self.changed.append(KeyNote(ITS_CODE, does, became, reason))

    def need(self, *keys: str) -> bool:
        """Refuse a file that lacks keys without which the original fails."""
        missing = [key for key in keys if key not in self.all]
        self.refused += [f"{key} is missing, and the original fails without it." for key in missing]
        return not missing

    def check_keys(self) -> None:
        """Refuse keys that the original does not know; drop those that never act there."""
        known = known_keys()
        for key in self.told:
            if key not in known:
                self.refused.append(
                    f"{key} is no key of the original.{did_you_mean(closest(key, known))}"
                )
        for key, reason in DROPPED.items():
            self.drop(key, reason)
        if self.told.get("model_path"):
            self.refused.append(
                f"model_path is {self.told['model_path']!r}: its weights are a pickle, which may "
                "run code, with heads that were never trained. Train anew, and score the run with "
                "`promptreid evaluate RUN`."
            )
        else:
            self.drop("model_path", "it names nothing")

    def read_backbone(self) -> None:
        """Take over the tower; `clip_model` wins where both are given, as it does there."""
        key = "clip_model" if "clip_model" in self.told else "model"
        if not self.need(key):
            return
        name = BACKBONES.get(_plain(self.all[key]))
        if name is None:
            self.refused.append(
                f"{key} is {self.all[key]!r}; the original knows {listed(list(BACKBONES))}."
            )
            return
        self.take(key, "backbone.name", lambda _: name)
        if key == "clip_model":
            same = _plain(self.all.get("model", "")) == _plain(self.all[key])
            reason = "clip_model says the same" if same else "clip_model wins, as it does there"
            self.drop("model", reason)

    def read_data(self) -> str | None:
        """Return the data SPEC: the folders that the original reads, whatever they hold here."""
        if not self.need("dataset"):
            return None
        repeats = self.take("num_splits", "?repeats", int, as_key=False)
        options = [] if repeats == 10 else [f"repeats={repeats}"]
        dataset, aspect = self.all["dataset"], str(self.all.get("aspect"))
        if dataset == "hd":
            self._tell("dataset", "--data hd_hands:…")
            self.drop("aspect", "all of its hands are dorsal and right")
            return _with_options("hd_hands:datasets/HD/Original Images", options)
        if dataset not in ("11k", 11000):
            self.refused.append(f"dataset is {dataset!r}; the original knows 11k and hd.")
            return None
        if aspect not in ASPECTS:
            self.refused.append(
                f"aspect is {aspect!r}; the original knows {listed(list(ASPECTS))}."
            )
            return None
        self._tell("dataset", "--data hands11k:…")
        self._tell("aspect", f"?aspect={ASPECTS[aspect]}")
        return _with_options("hands11k:datasets/11khands", [f"aspect={ASPECTS[aspect]}", *options])

    def read_template(self) -> None:
        """Take over the sentence; where its code puts no word of the image into it, ours does."""
        if "prompt_template" not in self.told:
            return
        sentence = str(self.told["prompt_template"])
        if "{}" in sentence:
            template = sentence.replace("{}", "{context}", 1).replace("{}", "")
            reason = "learned tokens stand for the name of an identity, which says nothing"
        else:
            place = "{aspect}" if "{aspect}" in sentence else "hand"
            template = sentence.replace(place, "{context} " + place, 1)
            reason = "the original never puts the learned word into its sentence"
        if "{context}" not in template:
            template += " {context}"
        self.change("prompt_template", reason, {"prompt.template": template})

    def read_batch(self) -> None:
        """Take over the size of a batch as identities with four images each."""
        if not self.need("batch_size"):
            return
        size = self.all["batch_size"]
        if not isinstance(size, int) or size < 2 * _IMAGES:
            self.refused.append(
                f"batch_size is {size!r}: a batch of identities holds {_IMAGES} images of each of "
                f"at least two, so no fewer than {2 * _IMAGES}."
            )
            return
        self.change(
            "batch_size",
            "batches hold four images of each identity; it draws images one by one",
            {
                "stages.image.batch.identities": size // _IMAGES,
                "stages.image.batch.images": _IMAGES,
            },
        )

    def read_frozen_text(self) -> None:
        """Tell the keys that say whether the text tower learns: it never does here."""
        for key in ("freeze_text", "freeze_text_encoder"):
            if self.told.get(key) is False:
                self.change(key, "the text tower stays as it is here", became="frozen")
            else:
                self._tell(key, "always so")

    def read_patience(self) -> None:
        """Take over after how many epochs without a gain training ends."""
        if self.told.get("early_stop_patience") is not None:
            self.change(
                "early_stop_patience",
                "validation images say when there is no gain, never test images",
                {"validation.patience": self.told["early_stop_patience"]},
            )

    def _tell(self, key: str, became: str) -> None:
        if key in self.told:
            self.exact.append(KeyNote(key, self.told[key], became))


def _plain(name: object) -> str:
    return "".join(mark for mark in str(name).lower() if mark.isalnum())


def _with_options(spec: str, options: list[str]) -> str:
    return spec + (f"?{'&'.join(options)}" if options else "")
