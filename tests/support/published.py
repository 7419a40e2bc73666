"""The published CLIP-ReID's parameter names for a model of ours."""

from __future__ import annotations

_PREFIXES = {
    "backbone.image.": "image_encoder.",
    "head.classifiers.linear.final.": "classifier.",
    "head.classifiers.linear.projected.": "classifier_proj.",
    "head.necks.final.": "bottleneck.",
    "head.necks.projected.": "bottleneck_proj.",
}
_TEXT = ("positional_embedding", "transformer.", "ln_final.", "text_projection")
_NAMES = {
    "sie.embed": "cv_embed",
    "prompt.tokens": "prompt_learner.cls_ctx",
    "prompt.prefix": "prompt_learner.token_prefix",
    "prompt.suffix": "prompt_learner.token_suffix",
}


def published_name(name: str) -> str | None:
    """Translate a name of `ReIDModel`; None for what published files leave out."""
    if name in _NAMES:
        return _NAMES[name]
    for ours, theirs in _PREFIXES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    rest = name.removeprefix("backbone.text.")
    return "text_encoder." + rest if rest != name and rest.startswith(_TEXT) else None
