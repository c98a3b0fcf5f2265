"""How often detectors fire where nothing changes."""

from collections.abc import Iterable

import msgspec
from scipy.special import gammaincinv

from drift.detectors.detector_set import DetectorSet
from drift.detectors.errors import DetectorError
from drift.losses import LossRow


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """One detector on a stream without drift; `rows`: those that it judged, not those that it skipped."""

    detector: str
    rows: int
    alarms: int

    @property
    def rate(self) -> float:
        """Alarms a row."""
        return self.alarms / self.rows

    @property
    def upper_bound(self) -> float:
        """Upper 95 % bound of `rate`, as if alarms were Poisson: 3 / rows after none (Garwood, Biometrika 28, 1936)."""
        return min(1.0, float(gammaincinv(self.alarms + 1, 0.95)) / self.rows)


def measure_false_alarms(fresh: DetectorSet, losses: Iterable[LossRow]) -> list[FalseAlarms]:
    """Feed fresh detectors rows of which the caller knows that they do not drift, whatever their offsets; in the order
    of the set. A loss that falls counts as well: nothing has changed.

    A permutation of any losses does not drift, but loses their dependence, which makes for fewer alarms than the
    stream itself has.

    Raises:
        DetectorError: when there is no usable loss.
    """
    alarms, rows = dict.fromkeys(fresh.skipped, 0), 0
    for rows, loss in enumerate(losses, start=1):
        for firing in fresh.update(loss._replace(offset=rows)):
            alarms[firing.detector] += 1
    judged = {name: rows - skipped for name, skipped in fresh.skipped.items()}
    if not all(judged.values()):
        raise DetectorError(f"false alarms cannot be measured: none of {rows} losses is usable; give more rows")
    return [FalseAlarms(detector=name, rows=judged[name], alarms=count) for name, count in alarms.items()]
