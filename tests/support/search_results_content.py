"""A page of search results for tests, with names that try to break out of it."""

from __future__ import annotations

import numpy as np

from promptreid.pages.search_page.search_results import (
    FoundCandidate,
    FoundPicture,
    ResultsPage,
    SearchResult,
)

EVIL = "<b>evil</b>\x1b[31m\" onload='x'"


def draw_picture(seed: int, height: int = 64, width: int = 32) -> np.ndarray:
    """Return (H, W, 3) coarse noise."""
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return tiles.repeat(8, 0).repeat(8, 1)


def make_candidates(seed: int, p_values: list[float] | None) -> tuple[FoundCandidate, ...]:
    """Return three candidates, of whom the second has no picture any more."""
    names = ["anna", EVIL, "a name that is as long as a name of a person hardly ever is"]
    candidates = []
    for rank, name in enumerate(names, start=1):
        score = 0.91 - 0.1 * rank + 0.1
        facts = ("camera gate", "2026-03-01 14:30 UTC", "coat: red") if rank == 1 else ()
        pixels = None if rank == 2 else draw_picture(10 * seed + rank)
        best = FoundPicture(pixels, f"{name}/0.jpg", score, facts)
        others = tuple(
            FoundPicture(draw_picture(100 * seed + 10 * rank + n), "x", score - 0.02 * n, ())
            for n in range(rank)
        )
        p = None if p_values is None else p_values[rank - 1]
        shown = name if p_values is not None else None
        candidates.append(FoundCandidate(rank, shown, score, p, best, others if shown else ()))
    return tuple(candidates)


def make_results_page() -> ResultsPage:
    """Return a page with an identity, nobody, everybody above the line, and loose pictures."""
    why = "p 0.0099 from 100 identities is at most 0.05."
    results = (
        SearchResult(
            "photo.jpg", draw_picture(1, 96, 64), "identity", "anna", why, 0.05, 2,
            make_candidates(1, [0.0099, 0.0198, 0.3]),
        ),
        SearchResult(
            EVIL, draw_picture(2), "nobody", None, why, 0.05, 0,
            make_candidates(2, [0.2, 0.3, 0.4]),
        ),
        SearchResult(
            "all.jpg", draw_picture(3, 32, 64), "identity", "anna", why, 0.05, 3,
            make_candidates(3, [0.01, 0.02, 0.03]),
        ),
        SearchResult(
            "loose.jpg", draw_picture(4), "ranked", None, "", None, None,
            make_candidates(4, None),
        ),
        SearchResult(
            "a person in a red coat", None, "ranked", None, "Sentences only rank.", None, None,
            make_candidates(5, None), sentence=True,
        ),
    )  # fmt: skip
    return ResultsPage(
        "4 pictures in crops", f"Searched 12 pictures of 3 identities in {EVIL}, by tiny.",
        ("Nobody has said whom these pictures show.",), results, "2026-11-27", "1.0",
    )  # fmt: skip
