"""A pipeline of three features with models and profiles that are made in a millisecond."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
import numpy as np
from onnx import TensorProto, helper, numpy_helper

from drift.predictions import prediction_profile
from drift.profile import FeatureColumn, build_profile
from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline, Task, parse_pipeline
from stream_apps.model_slot import LoadedModel, Slots, load_model

SIZE, LATENESS, MAX_FUTURE = 10_000, 2_000, 3_600_000

DEFINITION = """
[pipeline]
name = "{name}"
task = "{task}"
partitions = 2
[windows]
size = "10s"
lateness = "2s"
idle_after = "{idle_after}"
[drift]
scales = 2
[[features]]
name = "a"
type = "number"
[[features]]
name = "b"
type = "number"
optional = true
[[features]]
name = "c"
type = "category"
"""


def definition(name: str = "tiny", task: str = "binary", idle_after: str = "1h") -> str:
    """Text of the pipeline file."""
    return DEFINITION.format(name=name, task=task, idle_after=idle_after)


def tiny_pipeline(task: str = "binary") -> Pipeline:
    """Two partitions, windows of 10 s, lateness 2 s, event times at most an hour ahead."""
    return parse_pipeline(definition(task=task), "tiny.toml")


def metadata_of(pipeline: Pipeline) -> ModelMetadata:
    """What a fitting model says of itself."""
    classes = {"binary": ("no", "yes"), "multiclass": ("one", "two"), "regression": ()}[pipeline.task]
    return ModelMetadata(task=pipeline.task, features=pipeline.features, categories={"c": ("x", "y")}, classes=classes)


def onnx_bytes(weight: float, metadata: ModelMetadata | None, *, width: int = 3, fills: bool = True,
               fragile: bool = False) -> bytes:
    """s = weight·a + b - c: sigmoid of it as the probability, or itself for regression.

    A missing number counts as 0, or without `fills` makes the answer NaN. A fragile model fails on any |number| > 99.
    """
    regression = metadata is not None and metadata.task == "regression"
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "X"], ["filled"]),
        *([helper.make_node("Cast", ["filled"], ["index"], to=TensorProto.INT64),
           helper.make_node("Gather", ["table", "index"], ["nothing"]),  # an index beyond the table is an error
           helper.make_node("Add", ["filled", "nothing"], ["tried"])] if fragile else []),
        helper.make_node("MatMul", ["tried" if fragile else "filled" if fills else "X", "weights"], ["line"]),
        *([] if regression else [
            helper.make_node("Sigmoid", ["line"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
        ]),
    ]
    outputs = [helper.make_tensor_value_info("line", TensorProto.FLOAT, [None, 1])] if regression else [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])]
    weights = np.resize(np.array([[weight], [1.0], [-1.0]]), (width, 1))
    constants = {"zero": np.zeros(1), "one": np.ones(1), "weights": weights} | (
        {"table": np.zeros(100)} if fragile else {})
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, width])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if metadata is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, metadata.to_json()
    return bytes(model.SerializeToString())


def profile_bytes(shift: float = 0.0, names: Sequence[str] = ("a", "b", "c"),
                  losses: Sequence[float] | None = None) -> bytes:
    """A reference of 200 rows whose numbers lie around `shift`."""
    values = np.random.default_rng(1).normal(shift, 1.0, 200)
    columns = [FeatureColumn(name=name, kind="number", values=values) for name in names[:2]]
    columns.append(FeatureColumn(name=names[2], kind="category", values=["x", "y"] * 100))
    return build_profile(columns, losses=None if losses is None else np.array(losses)).encode()


def predictions_bytes(task: Task = "binary", highest: float = 1.0) -> bytes:
    """A reference of 200 predictions: scores from 0 to `highest`; of a multiclass model, `one` and `two` in turn."""
    scores = np.random.default_rng(2).permutation(np.linspace(0, highest, 200))
    return prediction_profile(task, ["one", "two"] * 100, scores).encode()


def artifact(data: bytes, offset: int = 0) -> Artifact:
    """How `data` is announced."""
    return Artifact(digest=sha256(data).hexdigest(), size=len(data), offset=offset)


def accepted(model: bytes, profile: bytes, epoch: int = 0, profile_epoch: int | None = None) -> Accepted:
    """The announcement of these bytes, accepted."""
    announcement = ModelAnnouncement(replaces=epoch - 1, version=str(epoch + 1), model=artifact(model),
                                     profile=artifact(profile), reason="test", decision_id=f"d{epoch}", issued_at=0)
    return Accepted(epoch=epoch, profile_epoch=epoch if profile_epoch is None else profile_epoch,
                    announcement=announcement)


def tiny_model(task: str = "binary", weight: float = 1.0, epoch: int = 0, *, fills: bool = True) -> LoadedModel:
    """A model as the scorer holds it."""
    pipeline = tiny_pipeline(task)
    model, profile = onnx_bytes(weight, metadata_of(pipeline), fills=fills), profile_bytes()
    return load_model(accepted(model, profile, epoch), model, profile, pipeline, predictions_bytes(pipeline.task))


def serving(champion: LoadedModel, canary: LoadedModel | None = None, share: float = 0.0) -> Slots:
    """The models in charge."""
    epoch = max(champion.model.epoch, canary.model.epoch if canary else -1)
    return Slots(epoch=epoch, champion=champion, canary=canary, share=share)


@dataclass(kw_only=True)
class FakeRecord:
    """A record as the transport hands it out."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def event_bytes(event_id: str, ts: object, a: object = 0.5, b: object = None, c: object = "x") -> bytes:
    """An event; nothing is checked."""
    return msgspec.json.encode({"event_id": event_id, "ts": ts, "entity": event_id,
                                "features": {"a": a, "b": b, "c": c}})
