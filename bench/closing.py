"""What closing a window costs the monitor, and what an open one costs the score worker, as features grow.

Run: python -m bench.closing [--quick] [--json] [--write]

In one process, on the product's own parts, in CPU time of one thread: a busy machine changes it little. The history is
full, so all seven scales are judged. `quiet` windows are drawn as the reference was; in an `alarm` all features but a
tenth have moved, so that an onset is estimated too. Memory is what is allocated for the counts of open windows.
"""

import gc
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.result import Chart, Result, Table, arguments, command_line, describe_machine, finish, progress, say, today
from drift.counts import CellCounter
from drift.profile import FeatureColumn, ReferenceProfile, build_profile
from schemas.pipeline import Feature, Identity, Pipeline
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge
from stream_apps.windows import CellLayout, CountedRows, PartitionWindows, WindowSettings

NAME = "closing"
FEATURES = (1, 10, 100, 500)
REFERENCE, ROWS = 2_000, 200  # rows of the reference, of a window
HISTORY = 64
JUDGED, QUICK_JUDGED = 200, 40
OPEN = 16  # windows open at a time
LIMIT_MS = 50  # drift.md: one window of 100 features


@dataclass(frozen=True, kw_only=True)
class Closing:
    """Cells of the profile; CPU milliseconds of each judged window; bytes of an open window of one partition."""

    cells: int
    quiet: list[float]
    alarm: list[float]
    open_bytes: float


def measure(features: int, judged: int) -> Closing:
    """Judge `judged` quiet windows and as many alarms.

    Raises:
        RuntimeError: where the verdicts are not what the windows were made for.
    """
    rng = np.random.default_rng(features)
    names = [f"f{index:03}" for index in range(features)]
    profile = build_profile([
        FeatureColumn(name=name, kind="number", values=rng.normal(size=REFERENCE)) for name in names])
    counter = CellCounter(profile)
    quiet = [counter.count(counter.indices(rng.normal(size=(ROWS, features)), [])) for _ in range(HISTORY)]
    moved = np.arange(features) >= features // 10
    alarm = [counter.count(counter.indices(rng.normal(size=(ROWS, features)) + moved, [])) for _ in range(8)]
    pipeline = Pipeline(pipeline=Identity(name=NAME, task="binary"),
                        features=tuple(Feature(name=name, type="number") for name in names))
    judge = DriftJudge(pipeline=pipeline, profile=profile)
    for number, counts in enumerate(quiet):
        judge.remember(_window(judge, number - HISTORY, counts))
    return Closing(cells=profile.size, quiet=_timed(judge, quiet, judged, alarms=False),
                   alarm=_timed(judge, alarm, judged, alarms=True), open_bytes=open_window_bytes(profile))


def _timed(judge: DriftJudge, windows: Sequence[NDArray[np.int64]], judged: int, *, alarms: bool) -> list[float]:
    gc.collect()
    found, seen = [], 0
    for number in range(judged):
        window = _window(judge, number, windows[number % len(windows)])
        started = time.thread_time()
        report, _ = judge.judge(window)
        found.append((time.thread_time() - started) * 1_000)
        seen += report.alarm
    if seen < judged if alarms else seen > judged * 0.1:
        raise RuntimeError(f"{seen} of {judged} windows alarmed, which were made to alarm: {alarms}")
    return found


def _window(judge: DriftJudge, number: int, counts: NDArray[np.int64]) -> ClosedWindow:
    return ClosedWindow(start=number * judge.pipeline.windows.size, profile="p", profile_epoch=0, rows=ROWS,
                        counts=counts, covered={"0": number})


def open_window_bytes(profile: ReferenceProfile) -> float:
    """Bytes that one more open window of one partition takes, with rows in it."""
    windows = PartitionWindows(partition=0, settings=WindowSettings(size=1_000, lateness=OPEN * 1_000))
    layout = CellLayout(profile=profile.digest, profile_epoch=0, size=profile.size)
    cells = np.tile(profile.offsets[:-1].astype(np.int32), (OPEN + 1, 1))
    windows.add(_rows(np.array([0]), cells[:1]), layout)
    gc.collect()
    tracemalloc.start()
    windows.add(_rows(np.arange(1, OPEN + 1) * 1_000, cells[1:]), layout)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken / OPEN


def _rows(ts: NDArray[np.int64], cells: NDArray[np.int32]) -> CountedRows:
    none = np.zeros(len(ts), dtype=np.bool_)
    return CountedRows(offsets=ts // 1_000, ts=ts, record_ts=ts, is_row=~none, ends=none, cells=cells)


def main() -> None:
    """Measure as the options say."""
    options = arguments(NAME, "CPU time of closing a window, memory of an open one.").parse_args()
    machine = describe_machine("no broker")
    found: dict[int, Closing] = {}
    with progress(silent=options.json) as bar:
        for features in bar.track(FEATURES, description=NAME):
            found[features] = measure(features, QUICK_JUDGED if options.quick else JUDGED)
            closing = found[features]
            say(f"{features} features: quiet {median(closing.quiet):.2f} ms, alarm {median(closing.alarm):.2f} ms, "
                f"{closing.open_bytes / 1_024:.1f} KiB an open window")
    figures = {str(features): {
        "quiet_ms": round(median(closing.quiet), 3), "quiet_max_ms": round(max(closing.quiet), 3),
        "alarm_ms": round(median(closing.alarm), 3), "alarm_max_ms": round(max(closing.alarm), 3),
        "cells": closing.cells, "open_window_kib": round(closing.open_bytes / 1_024, 2),
    } for features, closing in found.items()}
    usual = figures["100"]
    finish(Result(
        name=NAME, title="Closing a window", command=command_line(NAME), measured_at=today(), machine=machine,
        summary=f"A window of 100 features and {HISTORY} windows of history is judged and reported in "
                f"{usual['quiet_ms']:.1f} ms of CPU, {usual['alarm_ms']:.1f} ms with an alarm (at most {LIMIT_MS} "
                f"allowed); while it is open it takes {usual['open_window_kib']:.0f} KiB a partition.",
        figures=figures, raw={str(features): {"quiet_ms": closing.quiet, "alarm_ms": closing.alarm}
                              for features, closing in found.items()},
        tables=[Table(
            title="CPU of judging a closed window, ms, and memory of an open one, KiB a partition",
            columns=("features", "cells", "quiet", "longest", "alarm", "longest", "open window"),
            rows=[(features, f["cells"], f["quiet_ms"], f["quiet_max_ms"], f["alarm_ms"], f["alarm_max_ms"],
                   f["open_window_kib"]) for features, f in zip(found, figures.values(), strict=True)],
            note=f"Medians; windows of {ROWS} rows, a reference of {REFERENCE:,}, seven scales.")],
        charts=[Chart(title="CPU of judging a quiet window", unit="ms", logarithmic=True,
                      bars={f"{name} features": f["quiet_ms"] for name, f in figures.items()})],
    ), options)


if __name__ == "__main__":
    main()
