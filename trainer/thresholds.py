"""LightGBM's thresholds in single precision, so that the ONNX file splits every row as the fitted model does."""

import re
from typing import Any

import numpy as np

_THRESHOLDS = re.compile(r"^threshold=(.*)$", re.MULTILINE)
_TREE_SIZES = re.compile(r"^tree_sizes=.*\n", re.MULTILINE)


def round_thresholds(model: Any) -> None:
    """Round the thresholds of a fitted LightGBM estimator down to float32.

    Inputs are float32, so `x <= t` and `x <= the largest float32 not above t` agree for every input. The converter
    would round to the nearest: up as often as down, and where data has few decimals a threshold half-way between two
    training values is often itself a value of the next rows.
    """
    from lightgbm import Booster  # noqa: PLC0415  (takes seconds)

    text = _THRESHOLDS.sub(lambda line: f"threshold={' '.join(map(_rounded_down, line[1].split()))}",
                           model.booster_.model_to_string())
    model._Booster = Booster(model_str=_TREE_SIZES.sub("", text))  # noqa: SLF001  (byte sizes of the old text)


def _rounded_down(number: str) -> str:
    exact = float(number)
    nearest = np.float32(exact)
    down = np.nextafter(nearest, np.float32(-np.inf)) if float(nearest) > exact else nearest
    return repr(float(down))
