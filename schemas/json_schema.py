"""JSON Schemas of the wire format, generated from the message types by `python -m schemas.json_schema`."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from schemas.messages import (
    AuditHead,
    Command,
    Configuration,
    DeadLetter,
    DriftAlert,
    DriftReport,
    FeatureValue,
    Label,
    LabelledEvent,
    Message,
    ModelAnnouncement,
    PartitionCount,
    PartitionWatermark,
    Prediction,
    QualityReport,
    ScoreState,
    TrainerState,
    TrainingDecision,
    Watermark,
    WindowCounts,
)
from schemas.model_file import ModelMetadata
from schemas.pipeline import (
    UNITS_MS,
    Drift,
    Duration,
    Encoding,
    FalseAlarmBudget,
    Feature,
    Gate,
    Identity,
    ImplicitLabel,
    Pipeline,
    Replay,
    Retention,
    Retraining,
    Rollout,
    Windows,
)

DIRECTORY = Path(__file__).with_name("json")
PATTERNS: dict[Any, str] = {Duration: "^[0-9]+(ms|s|m|h|d)$",
                            FalseAlarmBudget: "^1 in [1-9][0-9]*( windows|ms|s|m|h|d)$",
                            ImplicitLabel: "^[0-9]+(ms|s|m|h|d) (->|→) \\S.*$"}
PARTS = (Identity, Feature, Replay, Windows, Drift, Retraining, Gate, Encoding, Rollout, Retention)


class Event(Message, frozen=True, kw_only=True):
    """What to score. `ts`: RFC 3339 or epoch milliseconds; `features`: a value a feature, optional ones may be absent.

    A pipeline's own features are stricter: `EventCodec` compiles them.
    """

    event_id: str
    ts: int | str
    entity: str = ""
    features: dict[str, FeatureValue]


TYPES = (Event, Watermark, Prediction, DeadLetter, ScoreState, WindowCounts, PartitionWatermark, PartitionCount,
         Label, LabelledEvent, QualityReport, DriftReport, DriftAlert, Command, Configuration, TrainingDecision,
         TrainerState, ModelAnnouncement, AuditHead, ModelMetadata, Pipeline)


def json_schemas() -> dict[str, bytes]:
    """Content of each file of `schemas/json`, by name."""
    return {f"{_snake(kind.__name__)}.json": _schema(kind) for kind in TYPES}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _schema(kind: type) -> bytes:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(_written(kind))}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _written(kind: Any) -> Any:
    """The type as it stands in a file: durations and budgets are text there."""
    if kind in PATTERNS:
        return Annotated[str, Meta(pattern=PATTERNS[kind])]
    if kind is Pipeline or kind in PARTS:
        meanings = _meanings(kind)
        fields: list[Any] = [(f.name, Annotated[_written(f.type), Meta(description=meanings.get(f.name))],
                              *([] if f.required else [_text(f.default)])) for f in msgspec.structs.fields(kind)]
        return msgspec.defstruct(kind.__name__, fields, frozen=True, kw_only=True, forbid_unknown_fields=True,
                                 namespace={"__doc__": kind.__doc__})
    if get_origin(kind) is tuple:
        return tuple[tuple(map(_written, get_args(kind)))]
    if isinstance(kind, UnionType):
        return Union[tuple(map(_written, get_args(kind)))]  # noqa: UP007 - made of values
    return kind


def _meanings(kind: type) -> dict[str, str]:
    """What stands below each field in the source of a struct."""
    meanings = {}
    for node in ast.parse(inspect.getsource(kind)).body:
        for statements in pairwise(node.body if isinstance(node, ast.ClassDef) else ()):
            match statements:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    meanings[name] = " ".join(text.split())
    return meanings


def _text(default: Any) -> Any:
    if isinstance(default, Duration):
        unit = next(unit for unit in reversed(UNITS_MS) if default % UNITS_MS[unit] == 0)
        return f"{default // UNITS_MS[unit]}{unit}" if default else "0s"
    if isinstance(default, FalseAlarmBudget):
        return str(default)
    return _written(type(default))() if isinstance(default, Struct) else default


def main() -> None:
    """Write the files anew."""
    DIRECTORY.mkdir(exist_ok=True)
    for name, content in json_schemas().items():
        (DIRECTORY / name).write_bytes(content)


if __name__ == "__main__":
    main()
