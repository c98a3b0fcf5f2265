"""One change detector: river's, with its defaults, safe against NaN and told what counts as an error.

| name | watches | fires when the loss | source |
|---|---|---|---|
| `adwin` | losses | rises or falls | Bifet and Gavaldà, SDM 2007; looks at every 32nd row |
| `page_hinkley` | losses | rises or falls | Page, Biometrika 41, 1954 |
| `kswin` | losses | changes its distribution | Raab et al., Neurocomputing 2020; draws rows by the seed |
| `ddm` | errors | rises | Gama et al., SBIA 2004 |
| `eddm` | errors | rises | Baena-García et al., IWKDDS 2006; watches the rows between two errors |
| `hddm_a`, `hddm_w` | errors | rises | Frías-Blanco et al., IEEE TKDE 27(3), 2015 |

Page-Hinkley's threshold (50, summed over rows) and ADWIN's bound (derived for [0, 1]) are in the unit of the losses.
Cap losses, as the trainer does: one of 100 among errors of 0 and 1 hides a jump from ADWIN for more than 1,000 rows.
After it fired, a detector starts anew with the next loss.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, Protocol, get_args

from drift.detectors.errors import DetectorError, DetectorsUnavailable, LossRefused

DetectorName = Literal["adwin", "ddm", "eddm", "hddm_a", "hddm_w", "page_hinkley", "kswin"]
DETECTORS: tuple[DetectorName, ...] = get_args(DetectorName)
ERROR_DETECTORS: frozenset[str] = frozenset({"ddm", "eddm", "hddm_a", "hddm_w"})


class Detector(Protocol):
    """Tells when a stream of losses changes. `skipped` counts the losses that were NaN or infinite: it ignores them."""

    name: str
    skipped: int

    def update(self, loss: float) -> bool:
        """Take the next loss; whether the detector fires at it."""
        ...


class ChangeTest(Protocol):
    """What all of river's detectors have."""

    @property
    def drift_detected(self) -> bool:
        """Whether it fired at the last loss."""
        ...

    def update(self, x: Any, /) -> object:
        """Take the next loss, or for half of them the next error."""
        ...


@dataclass(kw_only=True)
class RiverDetector:
    """A detector of river, with whatever parameters it was made; `reading` is what it is given of a loss."""

    name: str
    test: ChangeTest
    reading: Callable[[float], float] = float
    skipped: int = field(default=0, init=False)

    def update(self, loss: float) -> bool:
        """Take the next loss; whether the detector fires at it.

        Raises:
            LossRefused: for a detector of errors that is not told which losses are errors.
        """
        if not isfinite(loss):  # one is enough to blind ADWIN and Page-Hinkley for good
            self.skipped += 1
            return False
        self.test.update(self.reading(loss))
        return self.test.drift_detected


@dataclass(frozen=True, kw_only=True)
class ErrorRule:
    """1 for an error, else 0: of losses that are 0 or 1 themselves, or an error is what lies above `error_above`."""

    detector: str
    error_above: float | None

    def __call__(self, loss: float) -> float:
        """The error.

        Raises:
            LossRefused: for another loss than 0 or 1, without `error_above`.
        """
        if self.error_above is not None:
            return float(loss > self.error_above)
        if loss not in {0, 1}:
            raise LossRefused(f"detector '{self.detector}' watches errors (0 or 1) and got the loss {loss:.6g}; give "
                              "it errors, say with 'error_above' from which loss on a row is an error, or leave it out")
        return float(loss)


def detector(name: str, *, seed: int = 0, error_above: float | None = None) -> Detector:
    """A fresh detector, one of `DETECTORS`; the same seed and losses give the same answers.

    `error_above` is for the detectors of errors only: the loss above which a row is an error. For log loss of two
    classes ln 2 is exact; of more classes it also takes rows whose right class led with less than half.

    Raises:
        DetectorError: for an unknown name, or an `error_above` that is not finite.
        DetectorsUnavailable: when the extra `detectors` is not installed.
    """
    if name not in DETECTORS:
        raise DetectorError(f"no detector is called '{name}'; choose among {', '.join(DETECTORS)}")
    if error_above is not None and not isfinite(error_above):
        raise DetectorError(f"detector '{name}' has error_above = {error_above}; give a finite loss")
    if name in ERROR_DETECTORS:
        rule = ErrorRule(detector=name, error_above=error_above)
        return RiverDetector(name=name, test=_of_river(name, seed), reading=rule)
    return RiverDetector(name=name, test=_of_river(name, seed))


def _of_river(name: str, seed: int) -> ChangeTest:
    try:
        # River imports pandas, scikit-learn and SQLAlchemy: seconds that only those who watch losses spend.
        from river import drift  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DetectorsUnavailable(f"detector '{name}' needs the extra 'detectors' ({error.name} is missing); install "
                                   "automl-stream[detectors]") from error
    makers: dict[str, Callable[[], ChangeTest]] = {
        "adwin": drift.ADWIN,
        "ddm": drift.binary.DDM,
        "eddm": drift.binary.EDDM,
        "hddm_a": drift.binary.HDDMA,
        "hddm_w": drift.binary.HDDMW,
        "page_hinkley": drift.PageHinkley,
        "kswin": lambda: drift.KSWIN(seed=seed),
    }
    return makers[name]()
