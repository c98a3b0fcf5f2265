"""Label-based detectors: their names, and which of them a pipeline may have."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

DetectorName = Literal["adwin", "ddm", "eddm", "hddm_a", "hddm_w", "page_hinkley", "kswin"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
ERROR_DETECTORS: frozenset[str] = frozenset({"ddm", "eddm", "hddm_a", "hddm_w"})  # watch right or wrong, not how wrong


def detector_checks(task: str, shown: Sequence[str], alerting: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Whether something is wrong with the keys `drift.detectors` and `drift.alerting_detectors`, and what."""
    of_errors = [name for name in shown if name in ERROR_DETECTORS]
    unknown = [name for name in alerting if name not in shown]
    for key, names in (("detectors", shown), ("alerting_detectors", alerting)):
        yield len(set(names)) < len(names), f"key 'drift.{key}': found {_listed(names)}; name each once"
    yield (task == "regression" and bool(of_errors),
           (f"key 'drift.detectors': found {_listed(of_errors)}, which watch right and wrong answers; allowed for "
            f"regression: {_listed([name for name in DETECTORS if name not in ERROR_DETECTORS])}"))
    yield (bool(unknown),
           (f"key 'drift.alerting_detectors': found {_listed(unknown)}; allowed: those in 'drift.detectors', which "
            f"are {_listed(shown) or 'none'}"))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
