"""Labelled rows in the order of the log, distinct by event, the newest `max_rows` of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift.losses import served_loss
from schemas.codec import FeatureMatrix, canonical_label
from schemas.messages import Dataset, LabelledEvent, LabelValue
from schemas.pipeline import Pipeline, Task
from trainer.quota import within_quota

_NEVER = np.iinfo(np.int64).max

BINARY_CLASSES = 2


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows column by column: numbers (rows, numeric features) float64 with NaN for null; the other features as columns
    of values, null as None; event times; labels; losses of the models that served them, NaN where none did."""

    ts: NDArray[np.int64]
    numbers: NDArray[np.float64]
    discrete: list[tuple[Any, ...]]
    labels: list[LabelValue]
    losses: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, begin: int, end: int) -> "Rows":
        """Rows `begin` to `end` (exclusive)."""
        return Rows(ts=self.ts[begin:end], numbers=self.numbers[begin:end],
                    discrete=[column[begin:end] for column in self.discrete], labels=self.labels[begin:end],
                    losses=None if self.losses is None else self.losses[begin:end])


@dataclass(frozen=True, kw_only=True)
class TrainingRows:
    """A dataset's rows, and every class that the log had shown up to its end (empty for regression)."""

    dataset: Dataset
    rows: Rows
    classes: tuple[str, ...]

    def split(self, held_out: float) -> "tuple[TrainingRows, Rows]":
        """The rows but the last, and the last, a share of `held_out`: time goes only forward."""
        border = round(len(self.rows) * (1 - held_out))
        first = TrainingRows(dataset=self.dataset, rows=self.rows.part(0, border), classes=self.classes)
        return first, self.rows.part(border, len(self.rows))


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """What is kept of a delivery besides its numbers."""

    event: tuple[str, str]
    ts: int
    revision: int
    label: LabelValue
    discrete: tuple[Any, ...]
    digest: bytes
    labeller: str | None
    conflict: bool


class History:
    """The newest `max_rows` deliveries of `labelled`.

    Of several deliveries of one event the first counts; one with a higher revision takes its place; two labels of the
    same revision contradict each other, so that neither trains: an event that is in the log as a conflict is nobody's
    fresh row. What counted at an offset can be asked for later.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._matrix = FeatureMatrix(pipeline.features)
        self._max_rows = pipeline.retraining.max_rows
        self._task: Task = pipeline.task
        self._quota = pipeline.retraining.label_quota
        self._entries: list[_Entry] = []
        self._start = 0  # index of the oldest that is kept
        self._base = 0  # position of index 0; positions grow for ever
        self._offsets = np.empty(1_024, dtype=np.int64)
        self._void_from = np.empty(1_024, dtype=np.int64)  # offset from which on the delivery does not count
        self._numbers = np.empty((1_024, len(self._matrix.numeric)))
        self._losses = np.empty(1_024)
        self._fresh = np.empty(1_024, dtype=np.bool_)  # the first label of its event
        self._newest: dict[tuple[str, str], int] = {}  # event to position
        self._first_seen: dict[str, int] = {}  # class to the offset that first showed it
        self._values: dict[Any, Any] = {}  # one object a category

    def fits(self, event: LabelledEvent) -> bool:
        """Whether its vector has the length of the definition (an older definition's may not), and its label is one
        of the two classes where there are two: a stray third would make a model that no scorer accepts."""
        if len(event.features) != len(self._matrix.features):
            return False
        label = str(canonical_label(self._task, event.label))
        full = self._task == "binary" and len(self._first_seen) >= BINARY_CLASSES
        return not full or label in self._first_seen

    def rows_of(self, events: Sequence[LabelledEvent]) -> Rows:
        """Events that fit, as rows."""
        numbers, discrete = self._matrix.split([event.features for event in events])
        columns = [tuple(column) for column in discrete] or [() for _ in self._matrix.discrete]
        return Rows(ts=np.array([event.ts for event in events], dtype=np.int64), numbers=numbers, discrete=columns,
                    labels=[canonical_label(self._task, event.label) for event in events])

    def append(self, offset: int, event: LabelledEvent) -> bool:
        """Take one record that fits in; True where it is the first label of its event, hence a fresh row to judge and
        train on."""
        index = self._store(offset, event)
        if self._task != "regression":
            self._first_seen.setdefault(str(self._entries[index].label), offset)
        fresh = self._supersede(index, offset)
        self._fresh[index] = fresh
        return fresh

    def dataset(self, first: int, last: int) -> TrainingRows:
        """Rows from offset `first` on that counted once offset `last` was read, within the labellers' quota."""
        chosen = self._counting(first, last)
        if self._quota < 1:
            chosen = chosen[within_quota([self._entries[i].labeller for i in chosen], self._quota)]
        entries = [self._entries[i] for i in chosen]
        digest = hashlib.sha256(b"".join(entry.digest for entry in entries)).hexdigest()
        dataset = Dataset(first=first, last=last, rows=len(chosen), digest=digest)
        return TrainingRows(dataset=dataset, rows=self._rows(chosen), classes=self.classes(last))

    def fresh(self, first: int, last: int) -> Rows:
        """Of the rows from offset `first` to `last` those of events that no row before had: nothing that was fitted on
        rows before `first` knows them. Also those whose label was revised since: what a model says of a row does not
        depend on its label, and without them the rare class, which revisions often confirm, would be missing."""
        begin, end = self._between(first, last)
        return self._rows(begin + np.flatnonzero(self._fresh[begin:end]))

    def classes(self, last: int) -> tuple[str, ...]:
        """Classes that the log had shown once offset `last` was read, in alphabetical order."""
        return tuple(sorted(label for label, offset in self._first_seen.items() if offset <= last))

    def first_of_newest(self, count: int, last: int) -> int | None:
        """Offset from which on `count` rows count once offset `last` was read; None where there are fewer."""
        alive = self._counting(0, last)
        return int(self._offsets[alive[-count]]) if len(alive) >= count else None

    def first_offset(self) -> int:
        """Offset of the oldest row that is kept."""
        return int(self._offsets[self._start])

    def first_since(self, onset: int) -> int | None:
        """Offset of the oldest row with an event time of `onset` or later."""
        newer = (i for i in range(self._start, len(self._entries)) if self._entries[i].ts >= onset)
        index = next(newer, None)
        return None if index is None else int(self._offsets[index])

    def count_since(self, onset: int, last: int) -> int:
        """Rows with an event time of `onset` or later that counted once offset `last` was read."""
        return sum(self._entries[i].ts >= onset for i in self._counting(0, last))

    def _rows(self, chosen: NDArray[np.int64]) -> Rows:
        entries = [self._entries[i] for i in chosen]
        columns = [tuple(e.discrete[j] for e in entries) for j in range(len(self._matrix.discrete))]
        return Rows(ts=np.array([e.ts for e in entries], dtype=np.int64), numbers=self._numbers[chosen],
                    discrete=columns, labels=[e.label for e in entries], losses=self._losses[chosen])

    def _counting(self, first: int, last: int) -> NDArray[np.int64]:
        begin, end = self._between(first, last)
        return begin + np.flatnonzero(self._void_from[begin:end] > last)

    def _between(self, first: int, last: int) -> tuple[int, int]:
        """Index of the first row that is kept of these offsets, and of the row after them."""
        offsets = self._offsets[: len(self._entries)]
        begin = max(self._start, int(np.searchsorted(offsets, first, side="left")))
        return begin, int(np.searchsorted(offsets, last, side="right"))

    def _store(self, offset: int, event: LabelledEvent) -> int:
        if len(self._entries) == len(self._offsets):
            self._make_room()
        index = len(self._entries)
        content = msgspec.json.encode((event.entity, event.event_id, event.features, event.label))
        values = [event.features[j] for j in self._matrix.discrete]
        self._entries.append(_Entry(
            (event.entity, event.event_id), event.ts, event.revision, canonical_label(self._task, event.label),
            tuple(self._values.setdefault((type(v), v), v) for v in values), hashlib.sha256(content).digest(),
            None if event.model is None else event.labeller, event.conflict,
        ))
        self._offsets[index] = offset
        self._void_from[index] = _NEVER
        self._numbers[index] = [event.features[j] for j in self._matrix.numeric]
        loss = served_loss(self._task, event)
        self._losses[index] = np.nan if loss is None else loss
        if index - self._start >= self._max_rows:
            oldest = self._entries[self._start].event
            if self._newest.get(oldest) == self._base + self._start:
                del self._newest[oldest]
            self._start += 1
        return index

    def _supersede(self, index: int, offset: int) -> bool:
        entry = self._entries[index]
        known = self._newest.get(entry.event)
        if known is None:
            self._newest[entry.event] = self._base + index
            if entry.conflict:
                self._void_from[index] = offset
            return not entry.conflict
        before = known - self._base
        former = self._entries[before]
        higher = entry.revision > former.revision
        contradicts = entry.revision == former.revision and (entry.conflict or entry.label != former.label)
        if higher or contradicts:
            self._void_from[before] = min(offset, self._void_from[before])
        if contradicts:
            self._fresh[before] = False  # nobody knows its label: it judges nobody either
        if higher:
            self._newest[entry.event] = self._base + index
        if not higher or entry.conflict:
            self._void_from[index] = offset
        return False

    def _make_room(self) -> None:
        """Drop what is no longer kept once it is half of what is stored; otherwise double the room."""
        size, start = len(self._entries), self._start
        arrays = (self._offsets, self._void_from, self._numbers, self._losses, self._fresh)
        if start > size // 2:
            for array in arrays:
                array[: size - start] = array[start:size].copy()
            self._entries, self._base, self._start = self._entries[start:], self._base + start, 0
        else:
            self._offsets, self._void_from, self._numbers, self._losses, self._fresh = (
                np.concatenate([a, np.empty_like(a)]) for a in arrays)
