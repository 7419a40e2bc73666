"""Synthetic hands: people, photographs of their four hand sides, and whole sets of them."""

from __future__ import annotations

from promptreid.synth.hands.hand_caption import caption
from promptreid.synth.hands.hand_identity import ASPECTS, HandIdentity, sample_identity
from promptreid.synth.hands.hand_picture import HandPicture, render_hand
from promptreid.synth.hands.hand_set import write_hands
from promptreid.synth.hands.hand_skin import Skin, paint_skin

__all__ = [
    "ASPECTS",
    "HandIdentity",
    "HandPicture",
    "Skin",
    "caption",
    "paint_skin",
    "render_hand",
    "sample_identity",
    "write_hands",
]
