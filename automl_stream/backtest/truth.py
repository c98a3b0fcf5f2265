"""What is known about a file: where it changes. An alert is judged by it, a change is timed.

A false alarm: no documented change lies between the first row of the alert's reference and the last row of its window.
The delay of a change: rows from it to the closing of the first alarming window that holds rows of what it began.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec import Struct

from automl_stream.backtest.result import Alert, Window
from producers.errors import UnusableFile


class Truth(Struct, frozen=True, kw_only=True):
    """`documented`: first row of each regime but the first. `kinds`: what begins there; a scenario knows them."""

    documented: list[int]
    kinds: list[list[str]] | None = None

    @property
    def known(self) -> bool:
        """Whether there are no other changes: without kinds, an empty list only says that nobody has looked."""
        return bool(self.documented) or self.kinds is not None


def read_truth(file: Path) -> Truth | None:
    """The truth beside a data file, `<stem>.truth.json`; None where there is none, or it is not known.

    Raises:
        UnusableFile: as `load_truth`.
    """
    beside = file.with_name(f"{file.name.partition('.')[0]}.truth.json")
    return load_truth(beside) if beside.exists() else None


def load_truth(path: Path) -> Truth | None:
    """What a truth file knows; None where it says that it does not.

    Raises:
        UnusableFile: when it cannot be read.
    """
    try:
        truth = msgspec.json.decode(path.read_bytes(), type=Truth)
    except OSError as error:
        raise UnusableFile(f"{path}: cannot be read ({error.strerror}); give the path of a truth file") from error
    except msgspec.DecodeError as error:
        raise UnusableFile(f"{path}: is no truth file: {error}; it needs documented = [first row of each regime], "
                           "or remove it") from error
    return truth if truth.known else None


def false_alarms(truth: Truth, alerts: Sequence[Alert], windows: Sequence[Window]) -> int:
    """How many alerts no documented change explains."""
    spans = _alarming(alerts, windows)
    return sum(not any(window.reference_row < row < window.end_row for row in truth.documented) for window in spans)


def delays(truth: Truth, alerts: Sequence[Alert], windows: Sequence[Window], scored: range) -> dict[int, int | None]:
    """Delay in rows of each documented change among the rows `scored`; None where no alert came of it."""
    found = list(zip(alerts, _alarming(alerts, windows), strict=True))
    borders = [*sorted(row for row in truth.documented if row in scored), scored.stop]
    return {row: next((alert.row - row for alert, window in found
                       if window.first_row < following and window.end_row > row), None)
            for row, following in pairwise(borders)}


def _alarming(alerts: Sequence[Alert], windows: Sequence[Window]) -> list[Window]:
    by_start: Mapping[int, Window] = {window.start: window for window in windows}
    return [by_start[alert.window_start] for alert in alerts]
