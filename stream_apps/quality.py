"""Live quality: labelled rows in the order of the log, distinct by event, and a report whenever so many are together.

A fold over `labelled`: equal logs give equal reports, however they are cut into batches. Pure.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from schemas.messages import FeatureValue, LabelledEvent, LabelValue, Quality, QualityReport
from schemas.pipeline import Pipeline
from stream_apps.quality_figures import ServedRow, figures

REMEMBERED = 10_000  # rows of the log in which an event is known again
VERSIONS = 20  # in a report, the newest
VALUES = 20  # of a slice's feature, the most frequent
CLASSES = 1_000

Key = tuple[str, str]


@dataclass
class _Known:
    """Events of the newest rows of the log."""

    rows: deque[tuple[int, Key]] = field(default_factory=deque)
    newest: dict[Key, int] = field(default_factory=dict)

    def meet(self, offset: int, key: Key) -> bool:
        """Whether the event of the row at `offset` had a row among the `REMEMBERED` offsets before it."""
        while self.rows and self.rows[0][0] < offset - REMEMBERED:
            old, former = self.rows.popleft()
            if self.newest.get(former) == old:
                del self.newest[former]
        found = key in self.newest
        self.rows.append((offset, key))
        self.newest[key] = offset
        return found


class QualityLog:
    """Rows since the last report. `last`: that report, where there is one; rows up to its end are only remembered."""

    def __init__(self, pipeline: Pipeline, last: QualityReport | None = None) -> None:
        self._pipeline = pipeline
        self._digest = pipeline.digest
        places = {feature.name: place for place, feature in enumerate(pipeline.features)}
        self._slices = [(name, places[name]) for name in pipeline.gate.slices
                        if pipeline.features[places[name]].type != "number"]
        self.begin = 0 if last is None else last.last + 1
        self._first = self.begin
        self._classes = [] if last is None else list(last.classes)
        self._previous: LabelValue | None = None if last is None else last.previous
        self._known = _Known()
        self._rows: dict[Key, LabelledEvent | None] = {}  # None: its labels contradict each other
        self._count = 0

    @property
    def resume_at(self) -> int:
        """Offset from which on rows must be added to go on after the last report."""
        return max(0, self.begin - REMEMBERED)

    def add(self, offset: int, event: LabelledEvent) -> QualityReport | None:
        """Take the row at `offset` in; a report where it completes one."""
        key = event.entity, event.event_id
        known = self._known.meet(offset, key)
        if offset < self.begin:
            return None
        self._show(event.label)
        if key in self._rows:
            self._amend(key, event)
        elif not known and event.prediction is not None:
            self._rows[key] = None if event.conflict else event
            self._count += not event.conflict
        elif event.prediction is None and not self._rows:
            self._previous = event.label  # of a bootstrap's rows
        if self._count < self._pipeline.windows.quality_labels:
            return None
        return self._report(offset)

    def _show(self, label: LabelValue) -> None:
        if self._pipeline.task != "regression" and len(self._classes) < CLASSES and label not in self._classes:
            self._classes.append(str(label))

    def _amend(self, key: Key, event: LabelledEvent) -> None:
        """A revision, or a contradiction, of a row that is not reported yet."""
        row = self._rows[key]
        if row is None or event.revision < row.revision:
            return
        if event.revision > row.revision or event.conflict or event.label != row.label:
            contradicts = event.conflict or event.revision == row.revision
            self._rows[key] = None if contradicts else event
            self._count -= contradicts

    def _report(self, offset: int) -> QualityReport:
        events = [event for event in self._rows.values() if event is not None]
        before = [self._previous, *(event.label for event in events)]
        served = [self._served(event, label) for event, label in zip(events, before, strict=False)]
        qualities = [figures(self._pipeline.task, served)]
        versions, dropped = self._by_version(events, served)
        slices, left_out = self._by_slice(events, served)
        self._previous = events[-1].label
        report = QualityReport(
            first=self._first, last=offset, window_start=min(e.ts for e in events),
            window_end=max(e.ts for e in events), qualities=[*qualities, *versions, *slices],
            left_out=dropped + left_out, classes=list(self._classes), previous=self._previous,
            pipeline_digest=self._digest)
        self._rows, self._count, self._first = {}, 0, offset + 1
        return report

    def _served(self, event: LabelledEvent, before: LabelValue | None) -> ServedRow:
        """A model's classes are those that the log had shown when it was fitted, so the first of all that it has shown,
        in alphabetical order. What does not agree with the answer was another order."""
        chances, classes = event.probabilities, sorted(self._classes[: len(event.probabilities or ())])
        if chances is None or len(classes) < len(chances) or classes[chances.index(max(chances))] != event.prediction:
            chances = None
        assert event.prediction is not None  # noqa: S101 - only such rows are kept
        return ServedRow(label=event.label, prediction=event.prediction, score=event.score or 0.0, chances=chances,
                         classes=classes, before=before)

    def _by_version(self, events: list[LabelledEvent], served: list[ServedRow]) -> tuple[list[Quality], int]:
        """The newest versions first."""
        parts: dict[tuple[int, str], list[ServedRow]] = {}
        for event, row in zip(events, served, strict=True):
            if event.model is not None:
                parts.setdefault((event.model.epoch, event.model.version), []).append(row)
        newest = sorted(parts, reverse=True)
        return [figures(self._pipeline.task, parts[key], version=key[1]) for key in newest[:VERSIONS]
                ], max(0, len(newest) - VERSIONS)

    def _by_slice(self, events: list[LabelledEvent], served: list[ServedRow]) -> tuple[list[Quality], int]:
        """The most frequent values first, in alphabetical order where they are as frequent."""
        found: list[Quality] = []
        left_out = 0
        for name, place in self._slices:
            values = [_shown(event.features[place]) if place < len(event.features) else "null" for event in events]
            ranked = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
            left_out += max(0, len(ranked) - VALUES)
            for value, _ in ranked[:VALUES]:
                rows = [row for row, own in zip(served, values, strict=True) if own == value]
                found.append(figures(self._pipeline.task, rows, feature=name, value=value))
        return found, left_out


def _shown(value: FeatureValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
