"""A model that cannot serve is refused with a sentence that names the misfit, whatever the bytes are."""

import pickle
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression, Ridge

from schemas.model_file import ModelMetadata
from schemas.pipeline import Feature, Task
from stream_apps.model_slot import UnusableModel, load_model, open_session, run_session
from tests.tiny import accepted, metadata_of, onnx_bytes, profile_bytes, tiny_model, tiny_pipeline

PIPELINE = tiny_pipeline()
FITTING = metadata_of(PIPELINE)
GOOD = onnx_bytes(1.0, FITTING)


class Bomb:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


HOSTILE = {
    "empty": (b"", "no ONNX model"),
    "truncated": (GOOD[: len(GOOD) // 2], "no ONNX model"),
    "text": (b"not a model", "no ONNX model"),
    "pickle": (pickle.dumps(Bomb()), "no ONNX model"),
    "without metadata": (onnx_bytes(1.0, None), "has no 'automl-stream' metadata"),
    "another task": (onnx_bytes(1.0, metadata_of(tiny_pipeline("regression"))), "is for regression, pipeline 'tiny'"),
    "another feature": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, features=(
        *FITTING.features[:2], Feature(name="d", type="category")), categories={"d": ()})), "'d', 'category'"),
    "another type": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, features=(
        *FITTING.features[:2], Feature(name="c", type="number")))), "'c', 'number'"),
    "fewer features": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, features=FITTING.features[:2])), "2 features"),
    "without categories": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, categories={})), "no categories for c"),
    "one class": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, classes=("no",))), "names 1 classes"),
    "three classes": (onnx_bytes(1.0, msgspec.structs.replace(FITTING, classes=("a", "b", "c"))), "names 3 classes"),
    "wider input": (onnx_bytes(1.0, FITTING, width=4), "4"),
    "not a finite weight": (onnx_bytes(float("nan"), FITTING), "not finite"),
}


@pytest.mark.parametrize(("data", "misfit"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_or_unfit_model_is_refused_with_its_misfit(data: bytes, misfit: str) -> None:
    with pytest.raises(UnusableModel, match=misfit):
        open_session(data, PIPELINE)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_row_gets_the_same_answer_whatever_rows_are_scored_with_it(task: Task) -> None:
    """Linear models sum in another order when there is one row only."""
    rng, width = np.random.default_rng(0), 24
    rows = rng.normal(size=(600, width))
    target = rows @ rng.normal(size=width) * 50 + rng.normal(size=600)
    fitted = Ridge().fit(rows, target) if task == "regression" else LogisticRegression().fit(rows, target > 0)
    options = None if task == "regression" else {id(fitted): {"zipmap": False}}
    model: Any = to_onnx(fitted, rows[:1].astype(np.float32), options=options)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    features = tuple(Feature(name=f"f{k}", type="number") for k in range(width))
    metadata = ModelMetadata(task=task, features=features, categories={},
                             classes=() if task == "regression" else ("no", "yes"))
    matrix = rows.astype(np.float32)
    together = run_session(session, metadata, matrix)
    for size in (1, 2, 7):
        apart = [run_session(session, metadata, matrix[k : k + size]) for k in range(0, 600, size)]
        assert np.array_equal(np.concatenate(apart), together)


def test_a_multiclass_model_with_more_classes_than_outputs_is_refused() -> None:
    pipeline = tiny_pipeline("multiclass")
    metadata = msgspec.structs.replace(metadata_of(pipeline), classes=("one", "two", "three"))
    with pytest.raises(UnusableModel, match="fails on rows of zeros"):
        open_session(onnx_bytes(1.0, metadata), pipeline)


@pytest.mark.parametrize("profile", [b"", b"{}", profile_bytes()[:-9], profile_bytes(names=("b", "a", "c"))],
                         ids=["empty", "no features", "truncated", "other features"])
def test_a_profile_that_does_not_fit_the_model_is_refused(profile: bytes) -> None:
    with pytest.raises(UnusableModel, match="profile"):
        load_model(accepted(GOOD, profile), GOOD, profile, PIPELINE)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_damaged_byte_never_raises_anything_else(position: int, change: int) -> None:
    data = bytearray(GOOD)
    data[position] ^= change
    with suppress(UnusableModel):
        open_session(bytes(data), PIPELINE)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_classifier_answers_with_probabilities_of_its_classes(task: str) -> None:
    answers = tiny_model(task).run(np.array([[0, 0, 0], [5, 1, 1]], dtype=np.float32))
    assert answers.shape == (2, 2)
    np.testing.assert_allclose(answers[:, 1], 1 / (1 + np.exp(-np.array([0.0, 5.0]))), rtol=1e-6)


def test_a_regression_model_answers_with_values() -> None:
    np.testing.assert_allclose(tiny_model("regression").run(np.array([[2, 1, 1]], dtype=np.float32)), [2.0])


def test_a_loaded_model_counts_under_the_epoch_that_brought_its_profile() -> None:
    profile = profile_bytes()
    model = load_model(accepted(GOOD, profile, epoch=7, profile_epoch=3), GOOD, profile, PIPELINE)
    assert (model.model.epoch, model.layout.profile_epoch) == (7, 3)
    assert model.layout.size == model.counter.size
