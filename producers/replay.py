"""Rows into Kafka: events, their labels, and the watermarks that let windows close."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import msgspec

from kafka_access.access import KafkaAccess
from producers.due_labels import DueLabel, DueLabels
from producers.errors import DeliveryFailed
from producers.outbox import Headers, Outbox, Tally
from producers.pace import Pace
from producers.resume import RUN_HEADER, Confirmed
from producers.rows import Row, RowShape, replay_of
from schemas.codec import WATERMARK_HEADER, EventCodec, EventFormat, encode
from schemas.messages import Watermark
from schemas.pipeline import Pipeline, Retraining
from schemas.topics import EVENTS, LABELS, topic_name

BLOCK_HEADER = "block"
_BLOCKS = 5  # to a refresh
_PERIOD = 250  # rows, where nothing is refreshed
_WATERMARK_EVERY_SECONDS = 1.0
_PROGRESS_EVERY_ROWS = 200

Progress = Callable[[int], None]


class Barrier(Protocol):
    """Holds a lockstep replay until the services have caught up. Blocks are counted from 0."""

    def after_events(self, block: int) -> None:
        """Return when the block's events are scored and counted."""
        ...

    def after_labels(self, block: int, labels: int) -> None:
        """Return when the block's `labels` labels (those that can be joined) have had all their consequences."""
        ...


def lockstep_rows(retraining: Retraining) -> int:
    """Rows of a block in lockstep; what is promoted within one serves from the next one on."""
    return max(1, (retraining.refresh_labels or _PERIOD) // _BLOCKS)


@dataclass(frozen=True, kw_only=True)
class Lockstep:
    """Blocks of rows with a barrier after their events and after their labels."""

    block_rows: int
    barrier: Barrier


@dataclass(frozen=True, kw_only=True)
class ReplaySettings:
    """How a replay runs. `now_ms`: wall clock in epoch ms;
    `confirmed`: the run's name, and what of it is in Kafka already; `label_delay` in rows; `codec`: of the
    events, JSON where None."""

    kafka: KafkaAccess
    confirmed: Confirmed
    now_ms: Callable[[], int]
    labels: bool = True
    label_delay: int = 0
    lockstep: Lockstep | None = None
    codec: EventFormat | None = None


@dataclass(frozen=True, kw_only=True)
class ReplaySummary:
    """What was sent, and what the broker confirmed of it.

    `labels_joinable`: labels sent of rows that will be scored; `misfits`: rows that end as dead letters.
    """

    events_sent: int
    events_confirmed: int
    labels_sent: int
    labels_confirmed: int
    labels_joinable: int
    watermarks: int
    last_row: int | None
    misfits: int
    first_misfit: str


def replay(rows: Iterable[Row], pipeline: Pipeline, settings: ReplaySettings, pace: Pace,
           on_progress: Progress) -> ReplaySummary:
    """Send every row's event and label; `on_progress` hears how many rows are done.

    Raises:
        DeliveryFailed: at the first record that the broker does not confirm.
    """
    run = _Run(pipeline, settings, pace, on_progress)
    if settings.lockstep is None:
        run.freely(iter(rows))
    else:
        run.in_lockstep(iter(rows), settings.lockstep)
    return run.summary()


class _Run:
    """The state of one replay; `_clock` is the newest event time sent."""

    def __init__(self, pipeline: Pipeline, settings: ReplaySettings, pace: Pace, on_progress: Progress) -> None:
        self._settings = settings
        self._pace = pace
        self._on_progress = on_progress
        self._codec = settings.codec or EventCodec(pipeline)
        self._max_future = pipeline.windows.max_future
        self._spacing = replay_of(pipeline).spacing
        self._clock = RowShape(pipeline).start
        self._waiting = DueLabels(settings.label_delay, pipeline.task)
        self._headers: Headers = [(RUN_HEADER, settings.confirmed.run.encode())]
        self._outbox = Outbox(settings.kafka)
        self._events = Tally(topic=topic_name(pipeline.name, EVENTS))
        self._labels = Tally(topic=topic_name(pipeline.name, LABELS))
        self._watermarks = Tally(topic=self._events.topic)
        self._partitions = self._outbox.partitions(self._events.topic)
        self._rows = 0
        self._joinable = 0
        self._misfits = 0
        self._first_misfit = ""
        self._last_row: int | None = None

    def freely(self, rows: Iterator[Row]) -> None:
        """Labels as soon as they are due, a watermark every second."""
        marked_at = self._pace.clock()
        for row in rows:
            for due in self._event(row):
                self._label(due)
            if self._pace.clock() - marked_at >= _WATERMARK_EVERY_SECONDS:
                self._watermark()
                marked_at = self._pace.clock()
        for due in self._waiting.rest(self._clock, self._spacing):
            self._label(due)
        self._watermark(ends=True)
        self._outbox.flush()
        self._on_progress(self._rows)

    def in_lockstep(self, rows: Iterator[Row], lockstep: Lockstep) -> None:
        """Block by block. Labels that are still waiting after the last event make the last blocks; the end of the
        replay is a block of its own, so that the barrier also holds for the windows it closes."""
        number = 0
        while block := list(islice(rows, lockstep.block_rows)):
            due = [label for row in block for label in self._event(row)]
            self._watermark()
            self._block(number, due, lockstep.barrier)
            number += 1
        rest = self._waiting.rest(self._clock, self._spacing)
        while due := list(islice(rest, lockstep.block_rows)):
            self._block(number, due, lockstep.barrier)
            number += 1
        self._watermark(ends=True)
        self._block(number, [], lockstep.barrier)

    def summary(self) -> ReplaySummary:
        """The counts so far."""
        return ReplaySummary(
            events_sent=self._events.sent, events_confirmed=self._events.confirmed,
            labels_sent=self._labels.sent, labels_confirmed=self._labels.confirmed,
            labels_joinable=self._joinable,
            watermarks=self._watermarks.confirmed, last_row=self._last_row,
            misfits=self._misfits, first_misfit=self._first_misfit,
        )

    def _block(self, number: int, due: list[DueLabel], barrier: Barrier) -> None:
        self._outbox.flush()
        barrier.after_events(number)
        size = sum(label.joinable for label in due) if self._settings.labels else 0
        for label in due:
            self._label(label, [(BLOCK_HEADER, f"{number}/{size}".encode())] if label.joinable else [])
        self._outbox.flush()
        barrier.after_labels(number, size)
        self._on_progress(self._rows)

    def _event(self, row: Row) -> list[DueLabel]:
        """Send the event; returns the label that is due after it."""
        row = self._against_clock(row)
        if row.fits and isinstance(row.ts, int):
            self._clock = max(self._clock, row.ts)
        else:
            self._misfits += 1
            self._first_misfit = self._first_misfit or f"row {row.number}: {row.problem}"
        if row.number not in self._settings.confirmed.events:
            self._pace.take()
            value = self._codec.encode(row.event_id, row.ts, row.entity, row.features)
            self._outbox.send(self._events, row.key, value, self._headers)
        self._last_row = row.number
        self._rows += 1
        if self._rows % _PROGRESS_EVERY_ROWS == 0:
            self._on_progress(self._rows)
        return self._waiting.after(row, self._clock)

    def _against_clock(self, row: Row) -> Row:
        """A time too far ahead of the wall clock is a misfit as well: the score service refuses it."""
        if row.fits and isinstance(row.ts, int) and row.ts > self._settings.now_ms() + self._max_future:
            return msgspec.structs.replace(row, problem=f"its time {row.ts} is ahead of the clock; change "
                                                        "'replay.start' or the file")
        return row

    def _label(self, due: DueLabel, headers: Headers | None = None) -> None:
        if self._settings.labels and due.row not in self._settings.confirmed.labels:
            self._joinable += due.joinable
            self._outbox.send(self._labels, due.key, encode(due.label), self._headers + (headers or []))

    def _watermark(self, *, ends: bool = False) -> None:
        value = encode(Watermark(ts=self._clock, ends=ends))
        with suppress(DeliveryFailed):  # a broker that is away: what is sent waits for it, or says that it is lost
            self._partitions = self._outbox.partitions(self._events.topic)  # there may be more by now
        for partition in range(self._partitions):
            self._outbox.send(self._watermarks, None, value, [WATERMARK_HEADER, *self._headers], partition)
