"""The typed record of what a checkpoint says of its model, which is checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, TypeAdapter

from promptreid.config.schema import Recipe
from promptreid.config.scoring import EvaluationConfig
from promptreid.data.images.preprocess import Preprocess
from promptreid.data.side_information import Side, SideTables
from promptreid.runs.run_records import BestRecord, Count, ProductChoice, Record, Text

_TYPED = TypeAdapter(Preprocess)


def _as_preprocess(value: object) -> object:
    if not isinstance(value, dict):
        return value
    _TYPED.validate_python(value)
    return Preprocess.from_dict(value)  # refuses unknown keys, too


class EpochRecord(Record):
    """The epoch after which a checkpoint was kept.

    Attributes:
        of_run: Number of epochs over all stages.
        stage: Name of the stage.
        epoch: Number of epochs of that stage.
    """

    of_run: Count
    stage: str
    epoch: Count


class CheckpointInfo(Record):
    """A record of what a checkpoint says of its model besides the weights.

    Attributes:
        preprocess: How images are prepared for these weights.
        recipe: What the weights were trained by; None for weights that are published without one.
        run: The id of the run that wrote the checkpoint; None outside runs.
        products: Who multiplied float32 tokens with weights in that run; None outside runs.
        seed: What the random choices of that run were drawn from.
        data: Fingerprints of the data sets that were trained on.
        classes: Names of the identities that were trained on, in the order of the classifiers.
        camera_values: What the rows of the camera table stand for: names, or pairs of data set and
            name.
        view_values: What the rows of the view table stand for.
        best: Which weights validation chose; None for weights that it did not choose.
        epoch: After which epoch these weights were kept; None for others.
        verification: The threshold for the same identity, as `Threshold.to_dict` gives it; None
            where none was chosen.
    """

    model_config = ConfigDict(strict=True)

    preprocess: Annotated[Preprocess, BeforeValidator(_as_preprocess)]
    recipe: Recipe | None = None
    run: str | None = None
    products: ProductChoice | None = None
    seed: int | None = None
    data: tuple[str, ...] = ()
    classes: tuple[Text, ...] = ()
    camera_values: tuple[Text | tuple[Text, Text], ...] = ()
    view_values: tuple[Text, ...] = ()
    best: BestRecord | None = None
    epoch: EpochRecord | None = None
    verification: dict[str, Any] | None = None

    @property
    def evaluation(self) -> EvaluationConfig:
        """The settings of the recipe for ranking embeddings; the defaults without a recipe."""
        return EvaluationConfig() if self.recipe is None else self.recipe.evaluation

    @property
    def templates(self) -> Mapping[str, Sequence[str]]:
        """Sentences by the attribute that they name; none without a recipe."""
        return {} if self.recipe is None else self.recipe.zero_shot.attributes

    @property
    def sides(self) -> SideTables:
        """The names that the rows of the camera and view tables stand for."""
        attribute = None if self.recipe is None else self.recipe.sie.attribute
        return SideTables(self.camera_values, self.view_values, attribute)

    def with_cameras(self, cameras: tuple[Side, ...]) -> CheckpointInfo:
        """Return the same record with other names for the rows of the camera table."""
        return self.updated(camera_values=cameras)

    def updated(self, **values: Any) -> CheckpointInfo:
        """Return the same record with other values of some fields."""
        return self.model_copy(update=values)
