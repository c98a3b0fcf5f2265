"""Wire format: JSON through msgspec; the pipeline definition compiles to a typed decoder of its events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.messages import FeatureValue, LabelValue, Message
from schemas.pipeline import Feature, Pipeline, Task

MessageT = TypeVar("MessageT")

TYPE_HEADER = "type"
WATERMARK_HEADER = (TYPE_HEADER, b"watermark")

# Bounds of a time that datetime can still name: years 1 to 9999.
MIN_TS = -62_135_596_800_000
MAX_TS = 253_402_300_799_999

_encoder = msgspec.json.Encoder()


class InvalidEvent(ValueError):
    """An event does not fit its pipeline; the message says which field and why. Not retriable: dead-letter it."""


def encode(message: Message) -> bytes:
    """JSON bytes of a message."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[MessageT]) -> MessageT:
    """Message of `kind` from JSON bytes.

    Raises:
        msgspec.DecodeError: when the bytes are not JSON or do not fit.
    """
    return msgspec.json.decode(data, type=kind)


def epoch_ms(ts: int | datetime) -> int:
    """Epoch milliseconds; a datetime without a zone is UTC.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    if isinstance(ts, datetime):
        return int(ts.timestamp() * 1_000) if ts.tzinfo else int((ts - datetime(1970, 1, 1)).total_seconds() * 1_000)  # noqa: DTZ001
    if not MIN_TS <= ts <= MAX_TS:
        raise OverflowError(f"ts {ts} is outside the years 1 to 9999; epoch milliseconds are expected")
    return ts


class EventCodec:
    """Decoder and encoder of one pipeline's events; `features` come out as a tuple in the definition's order."""

    def __init__(self, pipeline: Pipeline) -> None:
        fields = [_field(feature) for feature in pipeline.features]
        self._features: Any = msgspec.defstruct("Features", fields, frozen=True, kw_only=True, gc=False)
        self._event: Any = msgspec.defstruct(
            "Event",
            [("event_id", str), ("ts", int | datetime), ("features", self._features), ("entity", str, ""),
             ("v", int, 1)],
            frozen=True, kw_only=True, gc=False,
        )
        self.decode = msgspec.json.Decoder(self._event).decode
        self.values = msgspec.structs.astuple

    def encode(self, event_id: str, ts: int | str | None, entity: str, features: dict[str, FeatureValue]) -> bytes:
        """JSON bytes of an event; `features` may leave out optional ones. Not validated: a producer's bad row is sent
        as it is and ends as a dead letter."""
        return _encoder.encode({"v": 1, "event_id": event_id, "ts": ts, "entity": entity, "features": features})


def _field(feature: Feature) -> Any:
    kind: Any = {"number": float, "category": str, "boolean": bool}[feature.type]
    if not feature.optional:
        return feature.name, kind
    return feature.name, kind | None, feature.default


def canonical_label(task: Task, label: str | float | bool) -> LabelValue:
    """One spelling of a label: text for classes (1, 1.0 and "1" are the same class), a float for regression.

    Raises:
        ValueError: when a regression label is not a finite number.
    """
    if task == "regression":
        value = float(label)
        if not np.isfinite(value):
            raise ValueError(f"a regression label must be a finite number, found {label!r}")
        return value
    if isinstance(label, bool):
        return "true" if label else "false"
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)


class FeatureMatrix:
    """Turns rows of feature values into numbers, in the order of `features`."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self.features = tuple(features)
        self.numeric = [j for j, feature in enumerate(self.features) if feature.type == "number"]
        self.discrete = [j for j, feature in enumerate(self.features) if feature.type != "number"]

    def split(self, rows: Sequence[Sequence[FeatureValue]]) -> tuple[NDArray[np.float64], list[tuple[Any, ...]]]:
        """Numeric columns as (rows, numeric features) float64 with NaN for null, and the other columns as tuples."""
        if not self.discrete:
            return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.numeric)), []
        columns = list(zip(*rows, strict=True)) or [()] * len(self.features)
        numbers = np.empty((len(rows), len(self.numeric)))
        for k, j in enumerate(self.numeric):
            numbers[:, k] = columns[j]
        return numbers, [columns[j] for j in self.discrete]

    def join(self, numbers: NDArray[np.float64], discrete: Sequence[Sequence[Any]],
             codes: Sequence[dict[Any, int]]) -> NDArray[np.float32]:
        """Model input (rows, features) float32: categories as their code, -1 where missing or unknown to `codes`,
        infinite and null numbers as NaN."""
        matrix = np.empty((len(numbers), len(self.features)), dtype=np.float32)
        with np.errstate(over="ignore"):
            matrix[:, self.numeric] = numbers
        matrix[~np.isfinite(matrix)] = np.nan
        for j, column, known in zip(self.discrete, discrete, codes, strict=True):
            matrix[:, j] = [known.get(value, -1) for value in column]
        return matrix
