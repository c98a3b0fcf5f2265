"""Tiny artifacts: a logistic ONNX model over (a, b, c), and a reference profile."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from drift.profile import FeatureColumn, build_profile
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.pipeline import Pipeline, parse_pipeline

PIPELINE = """
[pipeline]
name = "tiny"
task = "binary"
partitions = 2
[windows]
size = "10s"
lateness = "2s"
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


def tiny_pipeline() -> Pipeline:
    """Two partitions, windows of 10 s, lateness 2 s."""
    return parse_pipeline(PIPELINE, "tiny.toml")


def onnx_bytes(pipeline: Pipeline, weight: float) -> bytes:
    """p = sigmoid(weight * a + b - c), where a missing number counts as 0."""
    nodes = [
        helper.make_node("IsNaN", ["X"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "X"], ["filled"]),
        helper.make_node("MatMul", ["filled", "weights"], ["line"]),
        helper.make_node("Sigmoid", ["line"], ["p"]),
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Concat", ["q", "p"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ]
    constants = {"zero": np.zeros(1), "one": np.ones(1), "weights": np.array([[weight], [1.0], [-1.0]])}
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
         helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    entry = model.metadata_props.add()
    entry.key = METADATA_KEY
    entry.value = ModelMetadata(task=pipeline.task, features=pipeline.features, categories={"c": ("x", "y")},
                                classes=("no", "yes")).to_json()
    return bytes(model.SerializeToString())


def profile_bytes(shift: float) -> bytes:
    """A profile of 100 rows."""
    values = np.linspace(-2, 2, 100) + shift
    categories = ["x", "y"] * 50
    return build_profile([
        FeatureColumn(name="a", kind="number", values=values), FeatureColumn(name="b", kind="number", values=values),
        FeatureColumn(name="c", kind="category", values=categories),
    ]).encode()
