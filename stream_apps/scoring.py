"""One chunk of one partition, scored: records in, predictions, dead letters and countable rows out. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
import numpy as np

from schemas.codec import WATERMARK_HEADER, EventCodec, FeatureMatrix, decode, encode, epoch_ms
from schemas.messages import DeadLetter, DeadLetterReason, LabelValue, Prediction, Watermark
from schemas.pipeline import Pipeline
from stream_apps.model_slot import LoadedModel
from stream_apps.windows import CountedRows


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
    """What one chunk gives: (key, bytes) of predictions and dead letters, and the rows to count."""

    predictions: list[tuple[bytes | None, bytes]]
    dead_letters: list[tuple[bytes, bytes]]
    rows: CountedRows


@dataclass(kw_only=True)
class _Decoded:
    """Records that go on, column by column: events (scored) and watermarks (only counted)."""

    events: list[Any]
    records: list[Record]
    offsets: list[int]
    ts: list[int]
    record_ts: list[int]
    is_row: list[bool]
    ends: list[bool]

    def append(self, record: Record, ts: int, *, is_row: bool, ends: bool = False) -> None:
        self.offsets.append(record.offset)
        self.ts.append(ts)
        self.record_ts.append(record.timestamp)
        self.is_row.append(is_row)
        self.ends.append(ends)


class Scorer:
    """Scores chunks of one pipeline's `events`; `topic_id` makes the sources of its rows."""

    def __init__(self, pipeline: Pipeline, topic_id: str) -> None:
        self._codec = EventCodec(pipeline)
        self._matrix = FeatureMatrix(pipeline.features)
        self._max_future = int(pipeline.windows.max_future)
        self._digest = pipeline.digest
        self._topic_id = topic_id

    def source(self, partition: int, offset: int) -> str:
        """Identity of a delivery."""
        return f"{self._topic_id}-{partition}-{offset}"

    def run(self, records: Sequence[Record], partition: int, model: LoadedModel, now: int) -> ScoredChunk:
        """Decode, score, find the cells, encode; `now` in epoch milliseconds becomes `scored_at`.

        Every record ends as exactly one of prediction, dead letter, and watermark.
        """
        dead: list[tuple[bytes, bytes]] = []
        decoded = _Decoded(events=[], records=[], offsets=[], ts=[], record_ts=[], is_row=[], ends=[])
        for record in records:
            self._decode(record, partition, decoded, dead)
        rows = [self._codec.values(event.features) for event in decoded.events]
        numbers, discrete = self._matrix.split(rows)
        outputs = model.run(self._matrix.join(numbers, discrete, model.codes)) if rows else np.empty(0)
        poison = {decoded.records[row].offset for row in np.argwhere(~np.isfinite(outputs))[:, 0].tolist()}
        if poison:
            return self._without(poison, records, partition, model, now)
        predictions = self._encode(decoded, rows, outputs, partition, model, now)
        return ScoredChunk(predictions=predictions, dead_letters=dead, rows=CountedRows(
            offsets=np.array(decoded.offsets, dtype=np.int64), ts=np.array(decoded.ts, dtype=np.int64),
            record_ts=np.array(decoded.record_ts, dtype=np.int64), is_row=np.array(decoded.is_row, dtype=np.bool_),
            ends=np.array(decoded.ends, dtype=np.bool_), cells=model.counter.indices(numbers, discrete),
        ))

    def _without(self, poison: set[int], records: Sequence[Record], partition: int, model: LoadedModel,
                 now: int) -> ScoredChunk:
        """Rows that the model cannot answer are dead letters; the others are scored as if those were not there."""
        chunk = self.run([r for r in records if r.offset not in poison], partition, model, now)
        detail = f"model {model.model.version} gives an answer that is not a finite number"
        letters = [self._dead_letter(r, partition, "poison", detail) for r in records if r.offset in poison]
        return replace(chunk, dead_letters=chunk.dead_letters + letters)

    def _decode(self, record: Record, partition: int, decoded: _Decoded, dead: list[tuple[bytes, bytes]]) -> None:
        """Sort one record: an event, a watermark, or a dead letter with its reason."""
        reason: DeadLetterReason = "malformed"
        detail = "the record has no value"
        try:
            if not record.value:
                reason = "empty"
            else:
                is_row = not (record.headers and WATERMARK_HEADER in record.headers)
                content = self._codec.decode(record.value) if is_row else decode(record.value, Watermark)
                ts = epoch_ms(content.ts)
                if ts <= epoch_ms(record.timestamp) + self._max_future:
                    decoded.append(record, ts, is_row=is_row, ends=not is_row and content.ends)
                    if is_row:
                        decoded.events.append(content)
                        decoded.records.append(record)
                    return
                reason, detail = "future", f"ts is {ts - record.timestamp} ms ahead of the record's Kafka timestamp"
        except msgspec.ValidationError as error:
            reason, detail = "invalid", str(error)
        except msgspec.DecodeError as error:
            reason, detail = "malformed", str(error)
        except OverflowError as error:
            reason, detail = "timestamp", str(error)
        dead.append(self._dead_letter(record, partition, reason, detail))

    def _dead_letter(self, record: Record, partition: int, reason: DeadLetterReason,
                     detail: str) -> tuple[bytes, bytes]:
        source = self.source(partition, record.offset)
        letter = DeadLetter(source=source, reason=reason, detail=detail[:500], raw=record.value, raw_key=record.key,
                            record_ts=record.timestamp, last_offset=record.offset)
        return source.encode(), encode(letter)

    def _encode(self, decoded: _Decoded, rows: list[tuple[Any, ...]], outputs: Any, partition: int,
                model: LoadedModel, now: int) -> list[tuple[bytes | None, bytes]]:
        ts = [t for t, is_row in zip(decoded.ts, decoded.is_row, strict=True) if is_row]
        labels, scores, probabilities = _answers(outputs, model) if rows else ([], [], [])
        day = _DayOf()
        return [
            (record.key, encode(Prediction(
                event_id=event.event_id, entity=event.entity, ts=t, source=self.source(partition, record.offset),
                source_day=day(record.timestamp), pipeline_digest=self._digest, model=model.model, prediction=label,
                score=score, probabilities=p, features=list(row), scored_at=now,
            )))
            for event, record, t, row, label, score, p
            in zip(decoded.events, decoded.records, ts, rows, labels, scores, probabilities, strict=True)
        ]


def _answers(outputs: Any, model: LoadedModel) -> tuple[list[LabelValue], list[float], list[list[float] | None]]:
    """Label, score and probabilities of each row from the model's output."""
    if model.metadata.task == "regression":
        values = outputs.tolist()
        return values, values, [None] * len(values)
    outputs = outputs.round(7)
    winner = outputs.argmax(axis=1)
    labels: list[LabelValue] = [model.metadata.classes[k] for k in winner.tolist()]
    positive = outputs[:, 1] if model.metadata.task == "binary" else outputs[np.arange(len(outputs)), winner]
    return labels, positive.tolist(), outputs.tolist()


class _DayOf:
    """UTC day of a Kafka timestamp; neighbours mostly share it."""

    def __init__(self) -> None:
        self._day, self._text = -1, ""

    def __call__(self, record_ts: int) -> str:
        if record_ts // 86_400_000 != self._day:
            self._day = record_ts // 86_400_000
            self._text = datetime.fromtimestamp(record_ts / 1_000, UTC).date().isoformat()
        return self._text


