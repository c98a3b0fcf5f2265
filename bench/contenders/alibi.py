"""Alibi Detect: `python -m bench.contenders.alibi alibi`, paths on stdin."""

from functools import cache

import numpy as np
from alibi_detect.cd import CVMDriftOnline, KSDrift  # pyright: ignore[reportMissingImports]  # its own environment

from bench.contenders.windows import WINDOW, Answer, Matrix, Watched, answer

P_VALUE = 0.05  # its default
EXPECTED_RUN_TIME = 10 * WINDOW  # rows from one false alarm to the next
ONLINE_FEATURES = 10  # more, or rarer alarms, take more bootstraps than anybody waits for
ONLINE_REFERENCE = 500  # so does a longer reference: its thresholds cost the square of it
BOOTSTRAPS = 11_000  # it refuses less than ERT x features


def judge(watched: Watched) -> Answer:
    """KS of each window with the Bonferroni correction; for few features also the online Cramér-von Mises detector."""
    found = {"alibi ks": kolmogorov_smirnov(watched)}
    if watched.rate and watched.total == ONLINE_FEATURES:
        found["alibi cvm"] = cramer_von_mises(watched)
    return found


def kolmogorov_smirnov(watched: Watched) -> Matrix:
    """Alarms of each feature, the level being divided among all that are watched."""
    features = watched.reference.shape[1]
    detector = KSDrift(watched.reference, p_val=P_VALUE * features / watched.total)
    found = [detector.predict(window, return_p_val=True)["data"] for window in watched.windows]
    return np.array([data["p_val"] < data["threshold"] for data in found], dtype=np.float64)


def cramer_von_mises(watched: Watched) -> Matrix:
    """Whether it fired within the window; it starts anew when it has."""
    detector = configured(watched.reference.shape[1])
    detector.x_ref = watched.reference[-ONLINE_REFERENCE:]
    detector._configure_ref()  # noqa: SLF001 - a new detector would simulate the same thresholds again
    detector.reset_state()
    return np.array([[fired(detector, window)] for window in watched.windows], dtype=np.float64)


@cache
def configured(features: int) -> CVMDriftOnline:
    """Thresholds depend on the sizes alone: it simulates them on random normal numbers."""
    blank = np.zeros((ONLINE_REFERENCE, features))
    return CVMDriftOnline(blank, ert=EXPECTED_RUN_TIME, window_sizes=[WINDOW], n_bootstraps=BOOTSTRAPS, verbose=False)


def fired(detector: CVMDriftOnline, window: Matrix) -> bool:
    """Row after row."""
    alarms = 0
    for row in window:
        if detector.predict(row)["data"]["is_drift"]:
            alarms += 1
            detector.reset_state()
    return alarms > 0


if __name__ == "__main__":
    answer(judge)
