"""Several detectors on one stream of losses."""

from collections.abc import Sequence

import msgspec

from drift.detectors.detector import Detector
from drift.detectors.errors import DetectorError, OffsetError


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A detector saw a change at the row of this offset."""

    detector: str
    offset: int


class DetectorSet:
    """Feeds the same losses to all its detectors. Another model has other losses: begin a new set when one takes over.

    >>> from drift.detectors.detector import detector
    >>> watch = DetectorSet([detector("page_hinkley"), detector("ddm")])
    >>> for offset in range(700):
    ...     for firing in watch.update(offset, loss=float(offset % 10 == 0 or offset >= 500)):
    ...         print(firing.detector, firing.offset)
    ddm 514
    page_hinkley 559
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        """Take fresh detectors of different names.

        Raises:
            DetectorError: when two have the same name.
        """
        names = [each.name for each in detectors]
        if len(set(names)) < len(names):
            raise DetectorError(f"detectors are told apart by their names, got {', '.join(names)}; name each once")
        self._detectors = tuple(detectors)
        self._last: int | None = None

    def update(self, offset: int, loss: float) -> list[Firing]:
        """Take the loss of the row at `offset`: what fired at it. Offsets rise; gaps are allowed.

        Raises:
            OffsetError: for an offset that is not above the last one.
            LossRefused: as its detectors do.
        """
        if self._last is not None and offset <= self._last:
            raise OffsetError(f"the loss at offset {offset} comes after the one at {self._last}; feed each row once, "
                              "in the order of offsets")
        self._last = offset
        return [Firing(detector=each.name, offset=offset) for each in self._detectors if each.update(loss)]

    @property
    def skipped(self) -> dict[str, int]:
        """How many losses each detector has skipped."""
        return {each.name: each.skipped for each in self._detectors}
