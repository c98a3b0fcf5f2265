"""Rounding thresholds changes no answer, and makes the ONNX file agree where thresholds meet values."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMRegressor

from trainer.thresholds import round_thresholds


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.integers(1, 4))
def test_rounded_thresholds_are_float32_and_split_every_float32_as_before(seed: int, decimals: int) -> None:
    random = np.random.default_rng(seed)
    rows = random.random((400, 2)).round(decimals).astype(np.float32)
    fresh = random.random((2_000, 2)).round(decimals + 1).astype(np.float32)
    model = LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1, min_child_samples=5).fit(rows, rows.sum(axis=1))
    before = np.asarray(model.predict(fresh))
    round_thresholds(model)
    assert np.array_equal(before, np.asarray(model.predict(fresh)))
    thresholds = _thresholds(model.booster_.dump_model()["tree_info"])
    assert all(float(np.float32(t)) == t for t in thresholds)


def _thresholds(trees: list[dict[str, Any]]) -> list[float]:
    found, waiting = [], [tree["tree_structure"] for tree in trees]
    while waiting:
        node = waiting.pop()
        if "threshold" in node:
            found.append(node["threshold"])
            waiting += [node["left_child"], node["right_child"]]
    return found
