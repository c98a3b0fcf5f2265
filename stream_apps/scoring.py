"""One chunk of one partition, scored: records in, predictions, dead letters and countable rows out. No I/O.

Whole columns at a time: what is done row by row costs more than the model.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, compress, repeat
from operator import attrgetter
from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from schemas.codec import (
    MAX_TS,
    MIN_TS,
    WATERMARK_HEADER,
    EventCodec,
    EventFormat,
    FeatureMatrix,
    answered_epoch,
    decode,
    encode,
    epoch_ms,
)
from schemas.messages import DeadLetter, DeadLetterReason, Prediction, Watermark
from schemas.pipeline import Pipeline
from schemas.topics import MAX_EVENT_BYTES, MAX_RECORD_BYTES
from stream_apps.answers import Answers, answer
from stream_apps.model_slot import Slots
from stream_apps.windows import CountedRows, Ints

DAY_MS = 86_400_000
MAX_PREDICTION_BYTES = MAX_RECORD_BYTES - MAX_EVENT_BYTES  # it gets a key, and in `labelled` a label
Pair = tuple[bytes | None, bytes]


class Record(Protocol):
    """A fetched Kafka record; `timestamp` in epoch milliseconds."""

    @property
    def offset(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def key(self) -> bytes | None: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class ScoredChunk:
    """What one chunk gives: (key, bytes) of predictions and dead letters, these by reason, and the rows to count."""

    predictions: list[Pair]
    dead_letters: list[Pair]
    reasons: Counter[str]
    rows: CountedRows


def joined(parts: Sequence[ScoredChunk]) -> ScoredChunk:
    """One chunk of its parts, which were scored apart, in their order."""
    return ScoredChunk(
        predictions=list(chain.from_iterable(part.predictions for part in parts)),
        dead_letters=list(chain.from_iterable(part.dead_letters for part in parts)),
        reasons=sum((part.reasons for part in parts), Counter[str]()),
        rows=CountedRows.joined([part.rows for part in parts]),
    )


# A Prediction whose fields are positional, so that whole columns become rows in one call.
_PredictionRow = msgspec.defstruct(
    "PredictionRow", Prediction.__struct_fields__, gc=False)
_encode_lines = msgspec.json.Encoder().encode_lines
_headers_of = attrgetter("headers")


class Scorer:
    """Scores chunks of one pipeline's `events`; `topic_id` makes the sources of its rows; `codec` reads
    them, as JSON unless given."""

    def __init__(self, pipeline: Pipeline, topic_id: str, codec: EventFormat | None = None) -> None:
        self._codec = codec or EventCodec(pipeline)
        self._matrix = FeatureMatrix(pipeline.features)
        self._max_future = int(pipeline.windows.max_future)
        self._digest = pipeline.digest
        self.topic_id = topic_id

    def source(self, partition: int, offset: int) -> str:
        """Identity of a delivery."""
        return f"{self.topic_id}-{partition}-{offset}"

    def run(self, records: Sequence[Record], partition: int, slots: Slots, now: int,
            deadly: AbstractSet[int] = frozenset()) -> ScoredChunk:
        """Decode, score, find the cells, encode; `now` in epoch milliseconds becomes `scored_at`.

        Every record ends as exactly one of prediction, dead letter, and watermark. Those at the offsets `deadly` are
        dead letters unread.
        """
        dead = _Graves(self, partition)
        if deadly:
            for record in records:
                if record.offset in deadly:
                    dead.bury(record, "poison", "the process that scored this record died of it")
            records = [record for record in records if record.offset not in deadly]
        records, contents = self._decode(records, dead)
        records, contents, ts = self._in_time(records, contents, dead)
        is_row = np.array([type(content) is not Watermark for content in contents], dtype=np.bool_)
        scored, events = list(compress(records, is_row)), list(compress(contents, is_row))
        values = [self._codec.values(event.features) for event in events]
        numbers, discrete = self._matrix.split(values)
        answers, unanswered = answer([r.key for r in scored], numbers, discrete, slots, self._matrix)
        if unanswered:
            return self._without(unanswered, dead, scored, records, slots, now)
        predictions = self._encode(scored, events, ts[is_row], values, answers, partition, now)
        if oversized := _oversized(predictions):
            return self._without(oversized, dead, scored, records, slots, now)
        layout = slots.layout
        cells = slots.champion.counter.indices(numbers, discrete)
        if layout.models:
            cells = np.column_stack((cells, answers.cells + np.int32(layout.size)))
        return ScoredChunk(
            predictions=predictions, dead_letters=dead.letters, reasons=dead.reasons,
            rows=CountedRows(
                offsets=np.fromiter((r.offset for r in records), dtype=np.int64, count=len(records)), ts=ts,
                record_ts=_timestamps(records), is_row=is_row,
                ends=np.array([type(c) is Watermark and c.ends for c in contents], dtype=np.bool_),
                cells=cells),
        )

    # What each record is

    def _decode(self, records: Sequence[Record], dead: "_Graves") -> tuple[list[Record], list[Any]]:
        """The records that can be read, and what they say: an event or a watermark."""
        readable: list[Record] = []
        contents: list[Any] = []
        decode_event = self._codec.decode
        for record in records:
            value = record.value
            if not value:
                dead.bury(record, "empty", "the record has no value")
                continue
            try:
                marked = record.headers and WATERMARK_HEADER in record.headers
                contents.append(decode(value, Watermark) if marked else decode_event(value))
            except msgspec.ValidationError as error:
                dead.bury(record, "invalid", str(error))
            except msgspec.DecodeError as error:
                dead.bury(record, "malformed", str(error))
            else:
                readable.append(record)
        return readable, contents

    def _in_time(self, records: list[Record], contents: list[Any],
                 dead: "_Graves") -> tuple[list[Record], list[Any], Ints]:
        """The records whose time is one, and not too far ahead; their event times in epoch milliseconds."""
        ts, record_ts = _whole_times(contents), _timestamps(records)
        good = (ts >= MIN_TS) & (ts <= MAX_TS) & (record_ts >= MIN_TS) & (record_ts <= MAX_TS)
        good[good] = ts[good] - record_ts[good] <= self._max_future
        if good.all():
            return records, contents, ts
        times = [int(time) if fine else self._time(record, content, dead)
                 for time, record, content, fine in zip(ts, records, contents, good.tolist(), strict=True)]
        kept = [time is not None for time in times]
        return (list(compress(records, kept)), list(compress(contents, kept)),
                np.array(list(compress(times, kept)), dtype=np.int64))

    def _time(self, record: Record, content: Any, dead: "_Graves") -> int | None:
        try:
            ts = epoch_ms(content.ts)
            ahead = ts - epoch_ms(record.timestamp)
        except OverflowError as error:
            dead.bury(record, "timestamp", str(error))
            return None
        if ahead > self._max_future:
            dead.bury(record, "future", f"ts is {ahead} ms ahead of the record's Kafka timestamp")
            return None
        return ts

    def _without(self, unscored: dict[int, str], dead: "_Graves", scored: list[Record], records: list[Record],
                 slots: Slots, now: int) -> ScoredChunk:
        """Rows that have no prediction, and why, are dead letters; the others are scored as if those were not there."""
        poison = {scored[row].offset for row in unscored}
        for row, reason in unscored.items():
            dead.bury(scored[row], "poison", reason)
        chunk = self.run([r for r in records if r.offset not in poison], dead.partition, slots, now)
        return replace(chunk, dead_letters=dead.letters + chunk.dead_letters, reasons=dead.reasons + chunk.reasons)

    # What is said about it

    def _encode(self, records: list[Record], events: list[Any], ts: Ints, values: list[tuple[Any, ...]],
                answers: Answers, partition: int, now: int) -> list[Pair]:
        if not records:
            return []
        prefix = f"{self.topic_id}-{partition}-"
        rows = map(
            _PredictionRow, repeat(1), [e.event_id for e in events], [e.entity for e in events], ts.tolist(),
            [f"{prefix}{r.offset}" for r in records], _days(_timestamps(records)), repeat(self._digest),
            answers.models, answers.labels, answers.scores, answers.probabilities, values, repeat(now),
            _answered(records))
        # In JSON a line break inside of a text is escaped: each line is one prediction.
        return list(zip([r.key for r in records], _encode_lines(list(rows)).splitlines(), strict=True))


class _Graves:
    """Dead letters of one chunk."""

    def __init__(self, scorer: Scorer, partition: int) -> None:
        self.letters: list[Pair] = []
        self.reasons: Counter[str] = Counter()
        self.partition = partition
        self._scorer = scorer

    def bury(self, record: Record, reason: DeadLetterReason, detail: str) -> None:
        """One record could not be scored."""
        self.letters.append(dead_letter(record, self._scorer.source(self.partition, record.offset), reason, detail))
        self.reasons[reason] += 1


def _oversized(predictions: list[Pair]) -> dict[int, str]:
    """Rows whose prediction is too long for its topic, or with a label for `labelled`: a control character, one byte in
    Avro, has six in JSON."""
    return {row: f"its prediction would have {len(value)} bytes; {MAX_PREDICTION_BYTES} may be"
            for row, (_, value) in enumerate(predictions) if len(value) > MAX_PREDICTION_BYTES}


def dead_letter(record: Record, source: str, reason: DeadLetterReason, detail: str) -> Pair:
    """Key and bytes of the dead letter of one record."""
    return source.encode(), encode(DeadLetter(
        source=source, reason=reason, detail=detail[:500], raw=record.value, raw_key=record.key,
        record_ts=record.timestamp, last_offset=record.offset))


def _whole_times(contents: list[Any]) -> Ints:
    """Event times; none is right where one is in words, or has more than 64 bits."""
    try:
        return np.array([content.ts for content in contents], dtype=np.int64)
    except (TypeError, OverflowError):
        return np.full(len(contents), MAX_TS + 1, dtype=np.int64)


def _timestamps(records: Sequence[Record]) -> Ints:
    return np.fromiter((record.timestamp for record in records), dtype=np.int64, count=len(records))


def _answered(records: Sequence[Record]) -> Iterable[int | UnsetType]:
    """Epochs that were answered; rows from a producer have no headers, and are not looked at one by one."""
    if not any(map(_headers_of, records)):
        return repeat(UNSET)
    return [answered_epoch(record.headers) for record in records]


def _days(record_ts: Ints) -> Iterable[str]:
    """UTC day of each Kafka timestamp; neighbours mostly share it."""
    days = (record_ts // DAY_MS).tolist()
    names = {day: datetime.fromtimestamp(day * 86_400, UTC).date().isoformat() for day in set(days)}
    return [names[day] for day in days]
