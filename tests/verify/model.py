"""Tiny artifacts: a logistic ONNX model over (a, b, c), and a reference profile."""

import numpy as np

from drift.profile import FeatureColumn, build_profile
from schemas.pipeline import Pipeline, parse_pipeline
from tests import tiny

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
    return tiny.onnx_bytes(weight, tiny.metadata_of(pipeline))


def profile_bytes(shift: float, loss: float | None = None) -> bytes:
    """A profile of 100 rows, each with that loss."""
    values = np.linspace(-2, 2, 100) + shift
    categories = ["x", "y"] * 50
    return build_profile([
        FeatureColumn(name="a", kind="number", values=values), FeatureColumn(name="b", kind="number", values=values),
        FeatureColumn(name="c", kind="category", values=categories),
    ], losses=None if loss is None else np.full(100, loss)).encode()
