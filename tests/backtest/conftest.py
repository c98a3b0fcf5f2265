"""A short stream of payments whose world changes half-way, and policies that are quick to run."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from automl_stream.backtest.replay import Plan, backtest
from automl_stream.backtest.result import Result
from producers.rows import Row
from producers.scenarios.scenario import generate, scenario
from schemas.pipeline import Pipeline, parse_document, read_document

ROWS, TRAINED = 2_400, 480
CHANGE = ROWS // 2
QUICK: dict[str, dict[str, Any]] = {
    "retraining": {"families": ["logistic"], "windows": ["all"], "refresh_labels": 400, "min_new_labels": 1_000},
    "gate": {"min_rows": 100},
}
STILL = {"drift": {"min_effect": 1_000.0}, "retraining": {"refresh_labels": 0}}

Run = Callable[..., Result]


def payments(**tables: dict[str, Any]) -> Pipeline:
    """The payments pipeline with quick retraining, and keys of its tables replaced."""
    document = read_document(Path("pipelines/payments.toml"))
    for laid in (QUICK, tables):
        document |= {name: document.get(name, {}) | keys for name, keys in laid.items()}
    return parse_document(document, "test")


def rows_of(pipeline: Pipeline, rows: int = ROWS, name: str = "payments") -> Iterator[Row]:
    return generate(scenario(name, rows, seed=3), pipeline)


@pytest.fixture(scope="session")
def run() -> Run:
    """One backtest of the stream, or of other rows; its clock ticks a second each time it is asked."""

    def once(pipeline: Pipeline, rows: Iterator[Row] | None = None, trained: int = TRAINED, **plan: Any) -> Result:
        ticks = count()
        return backtest(rows_of(pipeline) if rows is None else rows, pipeline, Plan(rows_trained=trained, **plan),
                        lambda _: None, lambda: float(next(ticks)))

    return once


@pytest.fixture(scope="session")
def quick(run: Run) -> Result:
    """The stream under the quick policy."""
    return run(payments())


@pytest.fixture(scope="session")
def still(run: Run) -> Result:
    """The stream, without alerts and without refreshes."""
    return run(payments(**STILL))
