"""One change detector: river's, with its defaults, safe against NaN.

| name | watches | fires when the loss | source |
|---|---|---|---|
| `adwin` | losses | rises or falls | Bifet and Gavaldà, SDM 2007; looks at every 32nd row |
| `page_hinkley` | losses | rises or falls | Page, Biometrika 41, 1954 |
| `kswin` | losses | changes its distribution | Raab et al., Neurocomputing 2020; draws rows by the seed |
| `ddm` | errors | rises | Gama et al., SBIA 2004 |
| `eddm` | errors | rises | Baena-García et al., IWKDDS 2006; watches the rows between two errors |
| `hddm_a`, `hddm_w` | errors | rises | Frías-Blanco et al., IEEE TKDE 27(3), 2015 |

Page-Hinkley's threshold (50, summed over rows) and ADWIN's bound (derived for [0, 1]) are in the unit of the losses.
Cap losses, as drift/losses.py does: one of 100 among errors of 0 and 1 hides a jump from ADWIN for more than 1,000
rows. After it fired, a detector starts anew with the next loss.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import isfinite
from typing import Any, Protocol

from drift.detectors.errors import DetectorError, DetectorsUnavailable, LossRefused
from schemas.detectors import DETECTORS, ERROR_DETECTORS


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
        """Take the next loss, or for half of them the next error (0 or 1)."""
        ...


@dataclass(kw_only=True)
class RiverDetector:
    """A detector of river, with whatever parameters it was made."""

    name: str
    test: ChangeTest
    skipped: int = field(default=0, init=False)

    def update(self, loss: float) -> bool:
        """Take the next loss; whether the detector fires at it.

        Raises:
            LossRefused: for a detector of errors, given another loss than 0 or 1.
        """
        if not isfinite(loss):  # one is enough to blind ADWIN and Page-Hinkley for good
            self.skipped += 1
            return False
        if self.name in ERROR_DETECTORS and loss not in {0, 1}:
            raise LossRefused(f"detector '{self.name}' watches errors (0 or 1) and got the loss {loss:.6g}; give it "
                              "errors, or leave it out")
        self.test.update(loss)
        return self.test.drift_detected


def detector(name: str, *, seed: int = 0) -> Detector:
    """A fresh detector, one of `DETECTORS`; the same seed and losses give the same answers.

    Raises:
        DetectorError: for an unknown name.
        DetectorsUnavailable: when the extra `detectors` is not installed.
    """
    if name not in DETECTORS:
        raise DetectorError(f"no detector is called '{name}'; choose among {', '.join(DETECTORS)}")
    return RiverDetector(name=name, test=_of_river(name, seed))


def require_detectors(names: Iterable[str]) -> None:
    """Say at once that detectors cannot be had, without the seconds that their library takes.

    Raises:
        DetectorsUnavailable: when there are any and the extra `detectors` is not installed.
    """
    for name in names:
        if find_spec("river") is None:
            raise _unavailable(name, "river")


def _unavailable(name: str, missing: str | None) -> DetectorsUnavailable:
    return DetectorsUnavailable(f"detector '{name}' needs the extra 'detectors' ({missing} is missing); install "
                                "automl-stream[detectors], or leave it out of the key 'drift.detectors'")


def _of_river(name: str, seed: int) -> ChangeTest:
    try:
        # River imports pandas, scikit-learn and SQLAlchemy: seconds that only those who watch losses spend.
        from river import drift  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise _unavailable(name, error.name) from error
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
