"""CLIP-FH's stage after PromptSG: which recipes are near, and what it sets of them."""

from __future__ import annotations

from promptreid.moving.clip_fh_ledger import ClipFhLedger
from promptreid.moving.translation import KeyNote

_NECKLESS = tuple(f"prompt-sg/hand{track}-v{n}" for n in (1, 2, 3) for track in ("", "-cnn"))
_REDUCED = (
    "prompt-sg/hand-v8",
    *(f"prompt-sg/hand{track}-v{n}" for n in (4, 5, 6, 7, 9, 10) for track in ("", "-cnn")),
    "prompt-sg/hand-cnn-v8",
)


def read_prompt_sg(ledger: ClipFhLedger) -> tuple[str, ...]:
    """Take over the stage after PromptSG.

    Returns:
        The recipes that may be nearest.
    """
    ledger.read_frozen_text()
    ledger.read_template()
    needed = ("epochs", "batch_size", "transformer_layers", "lr_clip_visual", "lr_modules")
    weights = ("weight_decay", "loss_id_weight", "loss_tri_weight", "supcon_loss_weight")
    if not ledger.need(*needed, *weights):
        return ()
    stage, losses = "stages.image", "stages.image.losses"
    ledger.take("epochs", f"{stage}.epochs")
    ledger.read_batch()
    ledger.take("transformer_layers", "interaction.blocks")
    rate = ledger.take("lr_clip_visual", f"{stage}.optimizer.lr", float)
    factor = round(ledger.read_number("lr_modules") / rate, 6) if rate else 1.0
    parts = ("prompt", "interaction", "head")
    for part in parts:
        ledger.settings[f"{stage}.optimizer.part_lr_factors.{part}"] = factor
    if "lr_modules" in ledger.told:
        factors = ", ".join(f"{part}: {factor:g}" for part in parts)
        became = f"{stage}.optimizer.part_lr_factors={{{factors}}}"
        ledger.exact.append(KeyNote("lr_modules", ledger.told["lr_modules"], became))
    ledger.take("weight_decay", f"{stage}.optimizer.weight_decay", float)
    ledger.take("loss_tri_weight", f"{losses}.triplet", float)
    contrast = ledger.take("supcon_loss_weight", f"{losses}.supcon_i2t.weight", float)
    ledger.settings[f"{losses}.supcon_t2i.weight"] = contrast
    if contrast:
        for term in ("supcon_i2t", "supcon_t2i"):
            ledger.settings[f"{losses}.{term}.ramp"] = ledger.all["epochs"]
            ledger.settings[f"{losses}.{term}.temperature"] = ledger.all["supcon_temperature"]
    ledger.drop("supcon_temperature", "it is that of every recipe" if contrast else "no contrast")
    ledger.read_patience()
    ledger.settings |= {f"{stage}.schedule.name": "constant", f"{stage}.clip_norm": None}
    ledger.say_of_code(
        "clips gradients after the step",
        f"{stage}.clip_norm=null",
        "so it never acts; rates are constant",
    )
    ledger.say_of_code(
        "gives reduction and neck to no optimizer", "head", "all parts of the head learn here"
    )
    return _read_classifier(ledger)


def _read_classifier(ledger: ClipFhLedger) -> tuple[str, ...]:
    kind, losses = str(ledger.all["classifier"]).lower(), "stages.image.losses"
    if kind not in ("linear", "arcface"):
        ledger.refused.append(f"classifier is {kind!r}; the original knows linear and arcface.")
    term, other = ("arcface", "id") if kind == "arcface" else ("id", "arcface")
    ledger.take("loss_id_weight", f"{losses}.{term}", float)
    ledger.settings[f"{losses}.{other}"] = 0
    if "classifier" in ledger.told:
        ledger.exact.append(KeyNote("classifier", kind, f"{losses}.{term}"))
    if ledger.take("bnneck_reduction", "a reduced feature", bool, as_key=False):
        ledger.take("bnneck_dim", "head.reduction.width")
        return _REDUCED
    ledger.drop("bnneck_dim", "bnneck_reduction switches it off")
    return _NECKLESS
