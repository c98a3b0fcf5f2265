"""The reference profile of training rows."""

import numpy as np
from numpy.typing import NDArray

from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.pipeline import Pipeline
from trainer.history import Rows


def reference_profile(pipeline: Pipeline, rows: Rows, losses: NDArray[np.float64] | None = None) -> ReferenceProfile:
    """Profile of `rows`, in the order of event time, with the definition's features in their order.

    `losses`: of rows that were held out of the fit, in the order of time; else those of the models that served `rows`.
    """
    order = np.argsort(rows.ts, kind="stable")
    numbers = iter(np.ascontiguousarray(rows.numbers[order].T))
    discrete = (tuple(column[i] for i in order) for column in rows.discrete)
    columns = [
        FeatureColumn(name=feature.name, kind=feature.type,
                      values=next(numbers) if feature.type == "number" else next(discrete))
        for feature in pipeline.features
    ]
    if losses is None and rows.losses is not None:
        losses = rows.losses[order]
    known = None if losses is None else losses[np.isfinite(losses)]
    return build_profile(columns, longest_cycle=_cycle_rows(pipeline, rows), losses=known)


def _cycle_rows(pipeline: Pipeline, rows: Rows) -> int | None:
    """The longest cycle, in rows: event time turned into rows at the rows' own rate."""
    cycle = pipeline.drift.longest_cycle
    if cycle is None:
        return None
    span = int(rows.ts.max() - rows.ts.min()) or 1
    return max(1, round(len(rows) * cycle / span))
