"""River's detectors on every feature: `python -m bench.contenders.detectors detectors`, paths on stdin."""

from collections.abc import Callable

import numpy as np
from river.drift import ADWIN, KSWIN

from bench.contenders.windows import SLOW_WINDOWS, WINDOW, Answer, Matrix, Watched, answer

CLOCK = 32  # rows from one look of ADWIN's to the next; KSWIN looks at every row
WARM = 99  # rows before the first at which KSWIN looks; it takes 0.35 ms a row and feature

Detector = ADWIN | KSWIN


def judge(watched: Watched) -> Answer:
    """Alarms of each feature at the defaults, and at the level for `rate` alarms in a window of all features."""
    past = np.concatenate((watched.reference, watched.before))
    short = past[-WARM:], watched.windows[:SLOW_WINDOWS]
    found = {"adwin": watch(ADWIN, past, watched.windows), "kswin": watch(lambda: KSWIN(seed=0), *short)}
    if watched.rate:
        level = watched.rate / watched.total / WINDOW
        found["adwin corrected"] = watch(lambda: ADWIN(delta=level * CLOCK), past, watched.windows)
        found["kswin corrected"] = watch(lambda: KSWIN(seed=0, alpha=level), *short)
    return found


def watch(make: Callable[[], Detector], past: Matrix, windows: Matrix) -> Matrix:
    """Whether a detector of each feature fired within each window; 1 or 0."""
    return np.column_stack([_fired(make(), past[:, feature], windows[:, :, feature])
                            for feature in range(past.shape[1])])


def _fired(detector: Detector, past: Matrix, windows: Matrix) -> list[float]:
    for value in past.tolist():
        detector.update(value)
    return [float(sum(_fires(detector, value) for value in window) > 0) for window in windows.tolist()]


def _fires(detector: Detector, value: float) -> bool:
    detector.update(value)
    return detector.drift_detected


if __name__ == "__main__":
    answer(judge)
