"""Whether rules.py, fast enough for tuning, finds what the tools themselves find on the same windows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.contenders.windows import Answer, Watched
from bench.decisions import rules
from bench.decisions.streams import Matrix
from bench.result import Table

ADWIN_DELTA = 0.002  # river's default
KSWIN_DISTANCE = 14 / 30  # the least of 30 and 30 rows whose p-value is at most its default, 0.005
ROUNDING = 1e-9
MOST_FEATURES = 10  # of streams on which ADWIN is compared: it takes a while

Row = tuple[str | float | None, ...]


def table(found: Sequence[tuple[Watched, Answer]]) -> Table:
    """Over all that the tools were asked."""
    return Table(title="The same rules in rules.py, on the same windows", rows=[*ks_rows(found), adwin(found),
                                                                                kswin(found)],
                 columns=("tool", "compared", "numbers", "found"))


def ks_rows(found: Sequence[tuple[Watched, Answer]]) -> list[Row]:
    """Evidently's verdict by KS, and NannyML's distance."""
    same, apart = [], []
    for watched, answer in found:
        if "nannyml ks" in answer:
            windows, features = answer["nannyml ks"].shape
            reference, live = watched.reference[:, :features], watched.windows[:windows, :, :features]
            rows = live.reshape(-1, features)
            n, m = np.isfinite(live).sum(axis=1), np.isfinite(reference).sum(axis=0)
            distance = rules.kolmogorov_smirnov(reference, rows, windows) / np.sqrt(n * m / (n + m))
            apart.append(np.abs(distance - answer["nannyml ks"]).ravel())
            same.append((rules.share_drifted(reference, rows, windows) == (answer["evidently ks p"] < 0.05)).ravel())
    verdicts, differences = np.concatenate(same), np.concatenate(apart)
    return [("Evidently", "whether KS p < .05", verdicts.size, f"the same in {verdicts.mean():.1%}"),
            ("NannyML", "KS distance", differences.size, f"apart by {differences.max():.1g} at most")]


def adwin(found: Sequence[tuple[Watched, Answer]]) -> Row:
    """The first window in which it fires, up to where it starts anew. It goes blind at a missing value: none here."""
    same: list[bool] = []
    for watched, answer in found:
        features = watched.reference.shape[1]
        rows = past_and_windows(watched)
        if features <= MOST_FEATURES and np.isfinite(rows).all():
            windows, judged = len(rows) // rules.WINDOW, len(watched.windows)
            fired = rules.adaptive_windowing(watched.reference, rows[len(watched.reference):], windows)
            fired = fired > np.log(1 / ADWIN_DELTA)
            fresh = ~fired[:-judged].any(axis=0)
            same += (first(fired[-judged:]) == first(answer["adwin"] > 0))[fresh].tolist()
    return "River", "first window in which ADWIN fires", len(same), f"the same in {np.mean(same):.1%}"


def kswin(found: Sequence[tuple[Watched, Answer]]) -> Row:
    """How often it fires; the rows that it draws are others."""
    theirs, own = [], []
    for watched, answer in found:
        windows, features = answer["kswin"].shape
        if watched.rate and np.isfinite(watched.windows).all():
            rows = np.concatenate((watched.before, watched.windows[:windows].reshape(-1, features)))
            theirs.append(answer["kswin"].ravel())
            own.append((rules.windowed_ks(watched.reference, rows, windows) >= KSWIN_DISTANCE - ROUNDING).ravel())
    shares = [float(np.concatenate(each).mean()) for each in (theirs, own)]
    return ("River", "windows in which KSWIN fires at a feature", sum(each.size for each in own),
            f"{shares[0]:.1%}; rules.py, which looks at every tenth row, {shares[1]:.1%}")


def past_and_windows(watched: Watched) -> Matrix:
    """All rows, the oldest first."""
    return np.concatenate((watched.reference, watched.before, watched.windows.reshape(-1, watched.windows.shape[2])))


def first(fired: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Of each feature; as many as there are where there is none."""
    return np.where(fired.any(axis=0), fired.argmax(axis=0), len(fired))
