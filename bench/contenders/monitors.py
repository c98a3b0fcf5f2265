"""Evidently and NannyML as they come: `python -m bench.contenders.monitors monitors`, paths on stdin."""

import warnings
from itertools import pairwise
from typing import Any

import nannyml  # pyright: ignore[reportMissingImports]  # an environment of their own
import numpy as np
from evidently import Report  # pyright: ignore[reportMissingImports]
from evidently.metrics import DriftedColumnsCount, ValueDrift  # pyright: ignore[reportMissingImports]
from pandas import DataFrame

from bench.contenders.windows import WINDOW, Answer, Matrix, Watched, answer

COMPARED = 5  # windows and features of which the KS numbers are given
BLOCKS = (0, 1, 10)  # where blocks of columns begin


def judge(watched: Watched) -> Answer:
    """Evidently: how many columns of each block drift. NannyML: which ones do. And the KS numbers of some."""
    few = slice(None), slice(COMPARED)
    reference, windows = frame(watched.reference), [frame(window) for window in watched.windows]
    some, part = frame(watched.reference[few]), watched.windows[:COMPARED, :, :COMPARED]
    found = {
        "evidently": np.array([drifted_columns(reference, window) for window in windows]),
        "nannyml": univariate(reference, watched.windows, "jensen_shannon", "alert"),
    }
    if watched.rate:
        found["evidently ks p"] = np.array([ks_p_values(some, frame(window)) for window in part])
        found["nannyml ks"] = univariate(some, part, "kolmogorov_smirnov", "value")
    return found


def frame(rows: Matrix) -> DataFrame:
    """Columns f000, f001, ..."""
    names: Any = [f"f{index:03}" for index in range(rows.shape[1])]
    return DataFrame(rows, columns=names)


def drifted_columns(reference: DataFrame, window: DataFrame) -> list[float]:
    """How many of each block: the metric that DataDriftPreset decides by, without its pictures."""
    names = list(reference.columns)
    edges = [*(begin for begin in BLOCKS if begin < len(names)), len(names)]
    report = Report([DriftedColumnsCount(columns=names[begin:end]) for begin, end in pairwise(edges)])
    return [metric["value"]["count"] for metric in report.run(window, reference).dict()["metrics"]]


def ks_p_values(reference: DataFrame, window: DataFrame) -> list[float]:
    """Evidently's p-value of each column."""
    report = Report([ValueDrift(column=name, method="ks") for name in window.columns])
    return [metric["value"] for metric in report.run(window, reference).dict()["metrics"]]


def univariate(reference: DataFrame, windows: Matrix, method: str, column: str) -> Matrix:
    """A column of NannyML's table, for each window and feature."""
    names = list(reference.columns)
    calculator = nannyml.UnivariateDriftCalculator(names, continuous_methods=[method], chunk_size=WINDOW)
    calculator.fit(reference)
    live = frame(windows.reshape(-1, len(names)))
    table = calculator.calculate(live).filter(period="analysis").to_df()
    return np.column_stack([table[name, method, column].to_numpy(dtype=np.float64) for name in names])


if __name__ == "__main__":
    warnings.filterwarnings("ignore", module="nannyml")  # few windows are few chunks
    answer(judge)
