"""What embeddings must fulfil, each rule with the sentence that says how it is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from promptreid.data.manifest.unknown_values import UnknownWords, count_words, read_name
from promptreid.errors import EvaluationError

UNIT_TOLERANCE = 1e-3
_PIECE = 65536


def check_embeddings(
    vectors: Tensor,
    identities: tuple[str, ...],
    cameras: tuple[str | None, ...] | None,
    paths: tuple[str, ...],
    *,
    normalized: bool,
) -> None:
    """Check types, lengths, names and values of the fields of `Embeddings`.

    Raises:
        EvaluationError: A rule is broken; the first one is told, with the image concerned.
    """
    _check_vectors(vectors)
    _check_column("identities", identities, len(vectors))
    if cameras is not None:
        _check_column("cameras", cameras, len(vectors))
    if paths:
        _check_column("paths", paths, len(vectors))
    _check_names(identities, paths)
    check_finite(vectors, paths)
    if normalized:
        _check_unit(vectors, paths)


def expected_matrix(vectors: Tensor) -> str:
    """Say that a tensor is not a floating (N, D) matrix."""
    return (
        f"Embeddings must be a floating (N, D) matrix, one row per image; got shape "
        f"{tuple(vectors.shape)} of {str(vectors.dtype).removeprefix('torch.')}."
    )


def _check_vectors(vectors: Tensor) -> None:
    if not isinstance(vectors, Tensor):
        raise EvaluationError(
            f"The vectors must be a tensor; got {type(vectors).__name__}. "
            "Embeddings.from_vectors takes arrays of other kinds."
        )
    if vectors.ndim != 2 or not vectors.is_floating_point():
        raise EvaluationError(expected_matrix(vectors))
    if vectors.dtype != torch.float32:
        raise EvaluationError(
            f"The vectors must be float32; got {str(vectors.dtype).removeprefix('torch.')}. "
            "Embeddings.from_vectors converts them."
        )
    if vectors.shape[1] == 0:
        raise EvaluationError("The vectors have length 0; an embedding needs at least one number.")


def _check_column(name: str, column: object, count: int) -> None:
    if not isinstance(column, tuple):
        raise EvaluationError(
            f"The {name} must be a tuple; got {type(column).__name__}. "
            "Embeddings.from_vectors takes any sequence."
        )
    if len(column) != count:
        raise EvaluationError(
            f"There are {count} vectors but {len(column)} {name}; each image needs one of each."
        )


def _check_names(identities: tuple[str, ...], paths: tuple[str, ...]) -> None:
    for row, name in enumerate(identities):
        if not isinstance(name, str) or not name:
            raise EvaluationError(
                f"The identity of {_describe(row, paths)} is {name!r}; "
                "an identity is a non-empty string."
            )


def _check_unit(vectors: Tensor, paths: tuple[str, ...]) -> None:
    lengths = torch.linalg.vector_norm(vectors, dim=1)
    wrong = ((lengths - 1).abs() > UNIT_TOLERANCE).nonzero().flatten().tolist()
    if wrong:
        raise EvaluationError(
            f"{len(wrong)} of {len(vectors)} vectors do not have unit length, first that of "
            f"{_describe(wrong[0], paths)} with length {float(lengths[wrong[0]]):.4g}. "
            "Embeddings.from_vectors scales them; normalized=False takes them as they are."
        )


def check_finite(vectors: Tensor, paths: tuple[str, ...]) -> None:
    """Check that an (N, D) matrix holds neither NaN nor infinity.

    Raises:
        EvaluationError: Some row does; the first is named by its path.
    """
    # In pieces, since the test of a whole matrix takes more memory than the matrix.
    finite = [torch.isfinite(part).all(dim=1) for part in vectors.split(_PIECE)]
    wrong = (~torch.cat(finite)).nonzero().flatten().tolist()
    if wrong:
        raise EvaluationError(
            f"{len(wrong)} of {vectors.shape[0]} vectors hold NaN or infinity, first that of "
            f"{_describe(wrong[0], paths)}. The model that made them has diverged, or half "
            "precision overflowed: embed in fp32 or bf16."
        )


def unit_rows(vectors: Tensor, paths: tuple[str, ...]) -> Tensor:
    """Scale the rows of an (N, D) matrix to unit length.

    Raises:
        EvaluationError: A row is zero.
    """
    # Dividing by the largest entry first keeps the squares of very large or small rows in range.
    largest = vectors.abs().amax(dim=1, keepdim=True) if vectors.numel() else vectors[:, :1]
    zero = (largest == 0).nonzero()[:, 0].tolist()
    if zero:
        raise EvaluationError(
            f"{len(zero)} of {vectors.shape[0]} vectors are zero and have no direction, first that "
            f"of {_describe(zero[0], paths)}. A model should never give such a vector."
        )
    return torch.nn.functional.normalize(vectors / largest, dim=1)


def identity_names(values: Sequence[object], words: UnknownWords) -> tuple[str, ...]:
    """Write the identities of images as names; 7 and 7.0 are "7".

    Raises:
        EvaluationError: Some mean "not known"; together they would pass for one identity.
    """
    names = tuple(
        value.strip() if isinstance(value, str) else _identity_name(value, words)
        for value in values
    )
    unknown = {name for name in set(names) if words.means_unknown(name, "identity")}
    if unknown:
        met = Counter(name for name in names if name in unknown)
        raise EvaluationError(
            f"The identity of {met.total():,} of {len(names):,} images is not known: "
            f"{count_words(met)}. Leave these images out, or say unknown='keep' to take such words "
            "as names."
        )
    return names


def _identity_name(value: object, words: UnknownWords) -> str:
    try:
        name = read_name(value, "identity", words)
    except ValueError:  # neither a name nor a number: whatever tells it from others
        return str(value)
    if name is None:
        return "" if words.keep else str(value)
    return name


def _describe(row: int, paths: tuple[str, ...]) -> str:
    return f"row {row} ({paths[row]})" if row < len(paths) and paths[row] else f"row {row}"
