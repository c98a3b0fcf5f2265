"""A backtest for a program: one JSON object, whose keys are stable and explained in docs/backtest.md."""

from collections.abc import Sequence
from typing import Any

import msgspec

from automl_stream.backtest.result import Result


def document(results: Sequence[Result]) -> dict[str, Any]:
    """One policy: its figures. Several: `{"policies": {name: figures}}`."""
    if len(results) == 1:
        return _figures(results[0])
    return {"policies": {result.policy: _figures(result) for result in results}}


def _figures(result: Result) -> dict[str, Any]:
    """The result, with accuracy or mae, and of windows only how many: the page shows them one by one."""
    figures: dict[str, Any] = msgspec.to_builtins(result)
    absent = "mae" if result.mae is None else "accuracy"
    del figures[absent], figures[f"{absent}_frozen"]
    return figures | {"windows": len(result.windows), "windows_in_alarm": sum(w.alarm for w in result.windows)}
