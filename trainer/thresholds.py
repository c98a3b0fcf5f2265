"""Thresholds of trees in single precision, so that the ONNX file splits every row as the fitted model does."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

_THRESHOLDS = re.compile(r"^threshold=(.*)$", re.MULTILINE)
_TREE_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)


def round_thresholds(model: Any) -> None:
    """Round the thresholds of every tree in a fitted estimator down to float32.

    Inputs are float32, so `x <= t` and `x <= the largest float32 not above t` agree for every input. The converter
    would round to the nearest: up as often as down, and where data has few decimals a threshold half-way between two
    training values is often itself a value of the next rows.
    """
    if hasattr(model, "booster_"):
        _round_boosted(model)
    elif hasattr(model, "tree_"):
        model.tree_.threshold[:] = _rounded_down(model.tree_.threshold)
    elif hasattr(model, "steps"):
        round_thresholds(model.steps[-1][1])
    else:
        for member in getattr(model, "estimators_", ()):
            round_thresholds(member)


def _round_boosted(model: Any) -> None:
    from lightgbm import Booster  # noqa: PLC0415  (takes seconds)

    def rounded(line: re.Match[str]) -> str:
        return f"threshold={' '.join(map(repr, _rounded_down(np.array(line[1].split(), dtype=np.float64)).tolist()))}"

    text = _THRESHOLDS.sub(rounded, model.booster_.model_to_string())
    model._Booster = Booster(model_str=_TREE_SIZES.sub("", text))  # noqa: SLF001  (byte sizes of the old text)


def _rounded_down(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        nearest = exact.astype(np.float32)
    down = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > exact, down, nearest).astype(np.float64)
