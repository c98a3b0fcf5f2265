"""Drift reports are what `window-counts` says, added over the partitions."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from schemas.messages import (
    DriftReport,
    PartitionCount,
    PartitionWatermark,
    WindowCounts,
    WindowRecord,
)
from schemas.pipeline import LOSS, PREDICTION
from schemas.topics import EVENTS

REPORTS = "reports"
Window = tuple[int, str]


@dataclass(kw_only=True)
class Closed:
    """A closed window under one profile: rows of all partitions, and how far each was covered. `answered`: rows by the
    epoch of the model whose predictions were counted."""

    rows: int = 0
    covered: dict[str, int] = field(default_factory=dict)
    answered: Counter[int] = field(default_factory=Counter, compare=False)


@dataclass(kw_only=True)
class Closing:
    """Fold over `window-counts`: a window closes when every partition is final for it or idle, oldest first.

    While all are idle nothing closes. What comes after its window has closed is late; of equal keys the first counts;
    of several profiles the newest that was ever seen. `partitions`: how many there are before the first record.
    """

    partitions: int
    size: int
    closed: dict[Window, Closed] = field(default_factory=dict)
    _final_until: dict[int, int] = field(default_factory=dict)
    _idle: dict[int, bool] = field(default_factory=dict)
    _waiting: dict[int, dict[tuple[int, int], WindowCounts]] = field(default_factory=dict)
    _closed_until: int | None = None
    _newest_profile: int = -1

    def take(self, record: WindowRecord) -> None:
        """Fold one record in."""
        if isinstance(record, PartitionCount):
            self.partitions = max(self.partitions, record.partitions)
        elif isinstance(record, PartitionWatermark):
            self._idle[record.partition] = record.idle
            if record.watermark is not None:
                reached = self._final_until.get(record.partition, record.watermark)
                self._final_until[record.partition] = max(reached, record.watermark)
            self._close()
        elif self._closed_until is None or record.window.start > self._closed_until:
            waiting = self._waiting.setdefault(record.window.start, {})
            waiting.setdefault((record.partition, record.window.profile_epoch), record)

    def _close(self) -> None:
        busy = [p for p in range(self.partitions) if not self._idle.get(p, False)]
        if not busy or any(p not in self._final_until for p in busy):
            return
        final = min(self._final_until[p] for p in busy)
        for start in sorted(start for start in self._waiting if start + self.size <= final):
            records = self._waiting.pop(start)
            self._closed_until = start
            self._newest_profile = max(self._newest_profile, *(epoch for _, epoch in records))
            for (partition, epoch), record in records.items():
                if epoch == self._newest_profile:
                    closed = self.closed.setdefault((start, record.window.profile), Closed())
                    closed.rows += record.window.rows
                    closed.covered[str(partition)] = record.covered
                    closed.answered.update({said.epoch: sum(said.counts) for said in record.window.predictions})


def first_partitions(reading: Reading) -> int:
    """How many partitions `events` had when the log of window counts began: Kafka tells how many it has now."""
    raised = (e.message.before for e in reading.window_counts if isinstance(e.message, PartitionCount))
    return next(raised, len(reading.recording.log(EVENTS).bounds))


def check_reports(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """One report a closed window: the sum of the partitions' rows, their offsets, the predictions of its newest
    champion, and the losses of labelled rows."""
    pipeline = reading.recording.pipeline
    closing = Closing(partitions=first_partitions(reading), size=pipeline.windows.size)
    for entry in reading.window_counts:
        closing.take(entry.message)
    first: dict[Window, DriftReport] = {}
    served, champions = _Served.of(reading), {accepted.epoch for accepted in reading.models.accepted}
    for entry in reading.reports:
        seen.count += 1
        report, where = entry.message, f"drift-stats 0/{entry.record.offset}"
        window = (report.window_start, report.profile)
        if first.setdefault(window, report) != report:
            yield _difference(where, f"the first report of its window: {shown(first[window])}", shown(report))
        expected = closing.closed.get(window)
        found = Closed(rows=report.rows, covered=report.covered)
        if expected != found or report.window_end != report.window_start + pipeline.windows.size:
            yield _difference(where, f"{shown(expected)} for window {window}",
                              f"{shown(found)}, end {report.window_end}")
        answered = expected.answered if expected else Counter[int]()
        wanted = answered.get(max(answered.keys() & champions, default=-1))
        if _counted(report, PREDICTION) != wanted:
            yield _difference(where, f"predictions of {wanted} rows", str(_counted(report, PREDICTION)))
        if first[window] is report:
            yield from served.compare(where, report)
    for window in sorted(closing.closed.keys() - first.keys()):
        yield _difference(f"window {window}", shown(closing.closed[window]), "no report")


@dataclass(kw_only=True)
class _Served:
    """Labelled rows that a model had served: offset, and the profile of that model. `end`: of those counted so far."""

    rows: list[tuple[int, str]]
    end: int = 0

    @classmethod
    def of(cls, reading: Reading) -> "_Served":
        profiles = {a.epoch: a.announcement.profile.digest
                    for a in (*reading.models.accepted, *reading.models.canaries)}
        return cls(rows=[(e.record.offset, profiles.get(e.message.model.epoch, "")) for e in reading.labelled
                         if e.message.model is not None and not e.message.conflict])

    def compare(self, where: str, report: DriftReport) -> Iterator[Difference]:
        """The losses of a report are of these rows."""
        begin, self.end = self.end, report.labelled
        new = self.rows[bisect_left(self.rows, (begin, "")):bisect_left(self.rows, (report.labelled, ""))]
        expected = sum(profile == report.profile for _, profile in new)
        counted = _counted(report, LOSS)
        if counted not in (None, expected) or report.labelled < begin:
            yield _difference(where, f"{expected} losses of labelled rows {begin} to {report.labelled}",
                              str(counted))


def _counted(report: DriftReport, name: str) -> int | None:
    """Rows of a feature."""
    return next((feature.rows for feature in report.features if feature.name == name), None)


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=REPORTS, where=where, expected=expected, found=found)
