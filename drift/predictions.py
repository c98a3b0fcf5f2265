"""What a model says, as a counted feature: its class, the positive class's probability, or its value.

The reference of a model's predictions is a reference profile of its own, with this one feature. It belongs to the model
and is made of answers to rows that the model was not fitted on: those to its training rows are more extreme.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from drift.cells import FeatureKind, category_cells, category_table, number_cells
from drift.errors import ProfileError
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.messages import LabelValue
from schemas.model_file import ModelMetadata
from schemas.pipeline import PREDICTION, Task

Array = NDArray[np.float64]

_DIGITS = 7  # of a probability: what a float32 holds


class Said(NamedTuple):
    """Answers to some rows, a column of each: label, score as `Prediction` defines it, and, unless the task is
    regression, probabilities (rows, classes)."""

    labels: list[LabelValue]
    scores: Array
    probabilities: Array | None = None


def said(metadata: ModelMetadata, outputs: Array) -> Said:
    """What outputs say: probabilities (rows, classes) in the order of the classes, or values (rows,)."""
    if metadata.task == "regression":
        return Said(outputs.tolist(), outputs)
    outputs = outputs.round(_DIGITS)
    winner = outputs.argmax(axis=1)
    scores = outputs[:, 1] if metadata.task == "binary" else outputs[np.arange(len(outputs)), winner]
    return Said([metadata.classes[k] for k in winner.tolist()], scores, outputs)


def prediction_profile(task: Task, labels: Sequence[LabelValue], scores: Array, *, longest_cycle: int | None = None,
                       uncalibrated: str | None = None) -> ReferenceProfile:
    """Reference of the answers to rows that their model was not fitted on, in the order of time; `longest_cycle` in
    rows; `uncalibrated`: why it must not alarm, however many rows there are.

    Raises ProfileError where there are no rows.
    """
    values = [str(label) for label in labels] if task == "multiclass" else scores
    column = FeatureColumn(name=PREDICTION, kind=_kind(task), values=values)
    profile = build_profile([column], longest_cycle=longest_cycle)
    if uncalibrated is None:
        return profile
    return replace(profile, features=(replace(profile.features[0], uncalibrated=uncalibrated),))


def decode_predictions(data: bytes, task: Task) -> ReferenceProfile:
    """The reference of predictions of `ReferenceProfile.encode`'s bytes.

    Raises ProfileError where they are none, or none of this task.
    """
    profile = ReferenceProfile.decode(data)
    found = [(feature.name, feature.kind) for feature in profile.features]
    if found != [(PREDICTION, _kind(task))]:
        msg = f"the reference of predictions describes {found}; of a {task} model it needs {PREDICTION!r} alone"
        raise ProfileError(msg)
    return profile


class PredictionCounter:
    """Finds the cell of each answer of one model.

    A binary search in one column costs a tenth of what `CellCounter`, made for many, needs for a chunk of 100 rows.
    """

    def __init__(self, reference: ReferenceProfile, task: Task) -> None:
        """Compile the reference of the model's predictions."""
        (feature,) = reference.features
        self.size = reference.size
        self._edges = np.array(feature.edges)
        self._table = category_table("category", feature.categories) if task == "multiclass" else None

    def cells(self, labels: Sequence[LabelValue], scores: Array) -> NDArray[np.int32]:
        """Cell of every row, shape (rows,)."""
        if self._table is None:
            return number_cells(self._edges, scores)
        return category_cells(self._table, [str(label) for label in labels])


def _kind(task: Task) -> FeatureKind:
    return "category" if task == "multiclass" else "number"
