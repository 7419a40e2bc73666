"""Options of readers: typed, strict, and explained in words when wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from promptreid.errors import ConfigError, unknown_name


@dataclass(frozen=True)
class OptionHelp:
    """One option of a data set, for people.

    Attributes:
        name: Key in the data spec.
        allowed: What may stand behind it ("stop|skip", "int", "text").
        default: Value when not given; empty for none.
        description: What it does.
    """

    name: str
    allowed: str
    default: str
    description: str


class ReaderOptions(BaseModel):
    """Base of all readers' options: no unknown key passes; `load_data` itself heeds `use`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    use: Literal["train", "all"] = Field(
        "train",
        description="what may train: the training images, or the test images too, so that "
        "nothing is left to test on",
    )

    def without_roles(self) -> Self:
        """Return the options of somebody who trains nothing and tests nothing."""
        return self


class MissingOptions(ReaderOptions):
    """Options of readers that learn from a list which images there should be."""

    missing: Literal["stop", "skip"] = Field(
        "stop", description="stop when a listed image does not exist, or skip it and say so"
    )


class CameraOptions(ReaderOptions):
    """Options of readers whose protocol follows the Market-1501 camera rule."""

    same_camera: Literal["exclude", "keep"] = Field(
        "exclude",
        description="exclude or keep gallery images of the query's own identity and camera",
    )


Model = TypeVar("Model", bound=ReaderOptions)


def parse_options(name: str, model: type[Model], options: Mapping[str, str]) -> Model:
    """Turn the options of a data spec, as written, into those of the reader of a data set.

    Raises:
        ConfigError: Options are wrong; the error has one sentence for each of them.
    """
    try:
        return model.model_validate(dict(options))
    except ValidationError as error:
        sentences = [_sentence(name, model, problem) for problem in error.errors()]
    if len(sentences) == 1:
        raise ConfigError(sentences[0])
    listing = "".join(f"\n  - {sentence}" for sentence in sentences)
    raise ConfigError(f"{len(sentences)} options of {name!r} are wrong:{listing}")


def describe_options(model: type[ReaderOptions]) -> tuple[OptionHelp, ...]:
    """List the options of a reader, its own first, then those of all readers."""
    kinds = {int: "int", float: "number", str: "text"}
    options = []
    shared = ReaderOptions.model_fields
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] in shared):
        choices = [value for value in get_args(field.annotation) if isinstance(value, str | int)]
        kind = next((word for of, word in kinds.items() if field.annotation is of), "path")
        allowed = "|".join(str(value) for value in choices) or kind
        default = "" if field.default is None else str(field.default)
        options.append(OptionHelp(name, allowed, default, field.description or ""))
    return tuple(options)


def _sentence(name: str, model: type[BaseModel], problem: Any) -> str:
    key = str(problem["loc"][0]) if problem["loc"] else "options"
    if problem["type"] == "extra_forbidden":
        return unknown_name(f"option of data set {name!r}", key, model.model_fields)
    context = problem.get("ctx", {})
    reasons = {
        "literal_error": f"it must be {context.get('expected')}",
        "int_parsing": "it must be a whole number",
        "float_parsing": "it must be a number",
        "greater_than_equal": f"it must be at least {context.get('ge')}",
        "greater_than": f"it must be above {context.get('gt')}",
        "less_than_equal": f"it must be at most {context.get('le')}",
        "value_error": str(context.get("error")),
    }
    reason = reasons.get(problem["type"], problem["msg"])
    return f"Option {key}={problem['input']} of data set {name!r} is not allowed: {reason}."
