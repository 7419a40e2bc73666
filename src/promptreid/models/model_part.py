"""What every part of a model is built of, and described by."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from torch import nn

from promptreid.config.base import Strict


class PartShape(BaseModel):
    """What the data decided about a part's shape, such as the number of identities."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelPart(nn.Module):
    """A part that keeps the options it was built with, so that they describe it.

    Attributes:
        Options: Class of the options, which is the part's section of a recipe.
        Shape: Class of what the data decided.
        options: What a recipe says of the part.
        shape: What the data decided about it.
    """

    Options: ClassVar[type[Strict]]
    Shape: ClassVar[type[PartShape]] = PartShape

    def __init__(self, options: Strict, shape: PartShape | None = None) -> None:
        super().__init__()
        self.options = options
        self.shape = shape or self.Shape()

    def describe(self) -> dict[str, Any]:
        """Return options and shape, JSON-ready."""
        return {
            "options": self.options.model_dump(mode="json"),
            "shape": self.shape.model_dump(mode="json"),
        }

    @classmethod
    def read_description(cls, description: dict[str, Any]) -> tuple[Any, Any]:
        """Check what `describe` gave, and return the options and the shape.

        Raises:
            pydantic.ValidationError: A value is missing, unknown or impossible.
        """
        return (
            cls.Options.model_validate(description["options"]),
            cls.Shape.model_validate(description["shape"]),
        )
