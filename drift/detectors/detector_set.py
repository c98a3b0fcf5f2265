"""Several detectors on one stream of losses."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from math import isfinite
from statistics import fmean

from drift.detectors.detector import Detector, detector
from drift.detectors.errors import DetectorError, OffsetError
from drift.losses import LossRow
from schemas.detectors import ERROR_DETECTORS
from schemas.messages import Firing
from schemas.pipeline import Pipeline

RECENT = 100  # losses


class DetectorSet:
    """Feeds the same rows to all its detectors: those of errors take whether the answer was wrong, the others its loss.

    >>> from drift.detectors.detector import detector
    >>> watch = DetectorSet([detector("page_hinkley"), detector("ddm")])
    >>> for offset in range(700):
    ...     wrong = offset % 10 == 0 or offset >= 500
    ...     for firing in watch.update(LossRow(offset, loss=float(wrong), wrong=wrong)):
    ...         print(firing.detector, firing.offset, firing.rose)
    ddm 514 True
    page_hinkley 559 True
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Take fresh detectors of different names.

        Raises:
            DetectorError: when two have the same name.
        """
        names = [each.name for each in detectors]
        if len(set(names)) < len(names):
            raise DetectorError(f"detectors are told apart by their names, got {', '.join(names)}; name each once")
        self._detectors = tuple(map(_Watched, detectors))
        self._last: int | None = None

    def __len__(self) -> int:
        return len(self._detectors)

    def update(self, row: LossRow) -> list[Firing]:
        """Take the next row: what fired at it. Offsets rise; gaps are allowed.

        Raises:
            OffsetError: for an offset that is not above the last one.
            LossRefused: as its detectors do.
        """
        if self._last is not None and row.offset <= self._last:
            raise OffsetError(f"the loss at offset {row.offset} comes after the one at {self._last}; feed each row "
                              "once, in the order of offsets")
        self._last = row.offset
        return [firing for each in self._detectors if (firing := each.update(row))]

    @property
    def skipped(self) -> dict[str, int]:
        """How many losses each detector has skipped."""
        return {each.detector.name: each.detector.skipped for each in self._detectors}


def detector_set(pipeline: Pipeline) -> DetectorSet:
    """Fresh detectors, those that the pipeline names.

    Raises:
        DetectorsUnavailable: as `detector`.
    """
    return DetectorSet([detector(name, seed=pipeline.retraining.seed) for name in pipeline.drift.detectors])


class _Level:
    """The losses since a detector began anew: it tells which way they went where the detector itself does not."""

    def __init__(self) -> None:
        self._rows = 0
        self._total = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT)

    def take(self, loss: float) -> None:
        self._rows += 1
        self._total += loss
        self._recent.append(loss)

    def rose(self) -> bool:
        """Whether the newest losses, at most half of them, lie above the mean of all."""
        newest = islice(reversed(self._recent), max(1, min(RECENT, self._rows // 2)))
        return fmean(newest) > self._total / self._rows


class _Watched:
    """One detector and the losses that it has seen since it began anew."""

    def __init__(self, each: Detector) -> None:
        self.detector = each
        self._of_errors = each.name in ERROR_DETECTORS
        self._level = _Level()

    def update(self, row: LossRow) -> Firing | None:
        if isfinite(row.loss):
            self._level.take(row.loss)
        if not self.detector.update(float(row.wrong) if self._of_errors and isfinite(row.loss) else row.loss):
            return None
        rose = self._of_errors or self._level.rose()  # those of errors fire at a rise only
        self._level = _Level()
        return Firing(detector=self.detector.name, offset=row.offset, rose=rose)
