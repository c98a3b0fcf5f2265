"""Wire format: JSON through msgspec; the pipeline definition compiles to a typed decoder of its events."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from schemas.messages import FeatureValue, LabelValue, Message
from schemas.pipeline import Feature, Pipeline, Task

MessageT = TypeVar("MessageT")

TYPE_HEADER = "type"
WATERMARK_HEADER = (TYPE_HEADER, b"watermark")
ANSWERED_EPOCH = "answered-epoch"
_EPOCH_DIGITS = 18  # of an offset: 64 bits hold more

# Bounds of a time that datetime can still name: years 1 to 9999.
MIN_TS = -62_135_596_800_000
MAX_TS = 253_402_300_799_999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """JSON bytes of a message."""
    return _encoder.encode(message)


def decode(data: bytes, kind: type[MessageT]) -> MessageT:
    """Message of `kind` from JSON bytes.

    Raises:
        msgspec.DecodeError: when the bytes are not JSON or do not fit (ValidationError).
    """
    return _reader(partial(msgspec.json.decode, type=kind))(data)


def _reader(decoder: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Msgspec leaves two kinds of bad bytes to Python's own errors."""

    def read(data: bytes) -> Any:
        try:
            return decoder(data)
        except UnicodeDecodeError as error:
            raise msgspec.DecodeError(f"JSON is not UTF-8: {error}") from error
        except RecursionError as error:
            raise msgspec.DecodeError("JSON is nested too deeply") from error

    return read


def answered_epoch(headers: Iterable[tuple[str, bytes | None]]) -> int | UnsetType:
    """Epoch of the model whose answer was given when the event was written; unset where there was none. Anyone may
    write a header: one that says no epoch says nothing."""
    said = next((value for name, value in headers if name == ANSWERED_EPOCH), None)
    return int(said) if said is not None and said.isdigit() and len(said) <= _EPOCH_DIGITS else UNSET


def epoch_ms(ts: int | datetime) -> int:
    """Epoch milliseconds; a datetime without a zone is UTC.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    if isinstance(ts, datetime):
        ts = ((ts if ts.tzinfo else ts.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    if not MIN_TS <= ts <= MAX_TS:
        raise OverflowError(f"ts {ts} is outside the years 1 to 9999; epoch milliseconds are expected")
    return ts


class EventFormat(Protocol):
    """How a pipeline's events are read and written: `EventCodec` for JSON, `AvroEventCodec` for Avro."""

    @property
    def decode(self) -> Callable[[bytes], Any]:
        """Event of bytes: event_id, ts, entity, features, v. Raises msgspec.DecodeError when the bytes cannot be read
        or do not fit (ValidationError)."""
        ...

    @property
    def values(self) -> Callable[[Any], tuple[FeatureValue, ...]]:
        """Values of an event's `features`, in the definition's order."""
        ...

    def encode(self, event_id: str, ts: int | str | None, entity: str, features: dict[str, FeatureValue]) -> bytes:
        """Bytes of an event; `features` may leave out optional ones. A row that does not fit is written all the same
        and ends as a dead letter."""
        ...


class EventCodec:
    """Decoder and encoder of one pipeline's events; `features` come out as a tuple in the definition's order."""

    def __init__(self, pipeline: Pipeline) -> None:
        names = [feature.name for feature in pipeline.features]
        self.decode = _reader(msgspec.json.Decoder(event_type(pipeline, names)).decode)
        """Event of JSON bytes: event_id, ts, entity, features, v. Raises msgspec.DecodeError when the bytes are not
        JSON or do not fit (ValidationError)."""
        self.values = msgspec.structs.astuple

    def encode(self, event_id: str, ts: int | str | None, entity: str, features: dict[str, FeatureValue]) -> bytes:
        """JSON bytes of an event; `features` may leave out optional ones. Not validated: a producer's bad row is sent
        as it is and ends as a dead letter."""
        return _encoder.encode({"v": 1, "event_id": event_id, "ts": ts, "entity": entity, "features": features})


def event_type(pipeline: Pipeline, names: Sequence[str], number: Any = float) -> Any:
    """Struct of a pipeline's events. `names`: of the features on the wire; `number`: what they are validated as."""
    # A column of a file may be called anything, a field of a struct may not.
    renamed = {f"f{index}": name for index, name in enumerate(names)}
    values = [_field(field, feature, number) for field, feature in zip(renamed, pipeline.features, strict=True)]
    features = msgspec.defstruct("Features", values, rename=renamed, frozen=True, kw_only=True, gc=False)
    fields: list[Any] = [("event_id", str), ("ts", int | datetime), ("features", features), ("entity", str, ""),
                         ("v", int, 1)]
    return msgspec.defstruct("Event", fields, frozen=True, kw_only=True, gc=False)


def _field(name: str, feature: Feature, number: Any) -> Any:
    kind: Any = {"number": number, "category": str, "boolean": bool}[feature.type]
    if feature.optional:
        kind |= None
    told = Annotated[kind, msgspec.Meta(description=_told(feature))]
    return (name, told, feature.default) if feature.optional else (name, told)


def _told(feature: Feature) -> str:
    """What the catalogue says of a feature, for whoever reads the schema of an event."""
    least, most = ("" if bound is None else f"{bound:g}" for bound in (feature.min, feature.max))
    facts = (feature.description, f"range {least}..{most}" if least or most else "",
             f"owner {feature.owner}" if feature.owner else "")
    return "; ".join(fact for fact in facts if fact)


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
            return _numbers(rows, len(self.numeric)), []
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


def _numbers(rows: Sequence[Sequence[FeatureValue]], width: int) -> NDArray[np.float64]:
    flat: Iterable[Any] = chain.from_iterable(rows)
    try:
        return np.fromiter(flat, np.float64, len(rows) * width).reshape(len(rows), width)
    except TypeError:  # a null; otherwise twice as fast
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)
