"""Explanations add up to what they explain, are the same each time, and end in time."""

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.codec import FeatureMatrix
from schemas.messages import FeatureValue
from schemas.pipeline import Task
from stream_apps.predict.explaining import LATE, Explained, OutOfTime, explain, finish
from stream_apps.predict.explaining import Task as Asked
from tests.tiny import metadata_of, onnx_bytes, tiny_pipeline

BACKGROUND = tuple((k / 7 - 3, None if k % 5 == 0 else k % 4 / 2, "xyz"[k % 3]) for k in range(40))
NEVER = 1e9

pytestmark = pytest.mark.filterwarnings("default")  # shap's libraries warn about each other


def file_of(task: Task, weight: float = 1.5, background: tuple[tuple[FeatureValue, ...], ...] = BACKGROUND) -> bytes:
    return onnx_bytes(weight, replace(metadata_of(tiny_pipeline(task)), background=background))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["binary", "multiclass", "regression"]), st.floats(-9, 9), st.none() | st.floats(-9, 9),
       st.sampled_from(["x", "y", "never seen"]), st.integers(0, 1))
def test_base_and_values_add_up_to_the_score(task: Task, a: float, b: float | None, c: str, output: int) -> None:
    model, row = Explained(file_of(task)), [a, b, c]
    output = 0 if task == "regression" else output
    found = explain(model, row, output, NEVER)
    score = model.answer(model.matrix([row]), output)[0]
    assert found.base + sum(found.values.values()) == pytest.approx(score, abs=1e-5)
    assert found.base == pytest.approx(model.answer(model.background, output).mean(), abs=1e-5)
    assert (set(found.values), found.background) == ({"a", "b", "c"}, 40)
    assert explain(model, row, output, NEVER) == found


def test_of_a_line_each_feature_adds_its_weight_times_its_distance_from_the_background() -> None:
    model = Explained(file_of("regression", weight=3.0))
    rows = FeatureMatrix(model.metadata.features)
    numbers, discrete = rows.split(BACKGROUND)
    filled = np.nan_to_num(rows.join(numbers, discrete, model.metadata.codes()))
    values = explain(model, [2.0, 1.0, "y"], 0, NEVER).values
    assert list(values.values()) == pytest.approx([
        3 * (2.0 - filled[:, 0].mean()), 1.0 - filled[:, 1].mean(), -(1 - filled[:, 2].mean())], abs=1e-4)


def test_an_explanation_ends_when_its_time_is_up() -> None:
    ticks = count()
    with pytest.raises(OutOfTime):
        explain(Explained(file_of("binary")), [1.0, 1.0, "x"], 1, 2.0, lambda: next(ticks))


def test_a_task_without_time_or_without_background_says_why_there_is_no_explanation() -> None:
    assert finish(Asked(file_of("binary"), [1.0, 1.0, "x"], 1, 0.0)).reason == LATE
    assert "no background rows" in finish(Asked(file_of("binary", background=()), [1.0, 1.0, "x"], 1, 9.0)).reason
    assert finish(Asked(file_of("binary"), [1.0, 1.0, "x"], 1, 9.0)).explanation is not None
