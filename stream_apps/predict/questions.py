"""What is asked: rows of a request as the stream will read them, and why some cannot be. No I/O."""

from typing import Any

import msgspec
from msgspec import Struct

from doors.settings import SINGLE_BYTES
from schemas.codec import EventCodec, EventFormat, epoch_ms
from schemas.messages import DeadLetterReason, FeatureValue
from schemas.pipeline import Pipeline


class Question(Struct, frozen=True, kw_only=True, gc=False):
    """An event that can be scored. `key`, `value`: its record in `events`; `values`: its features, in the definition's
    order."""

    event_id: str
    entity: str
    key: bytes
    value: bytes
    values: tuple[FeatureValue, ...]


class Unanswerable(Exception):
    """A row has no answer; the stream would make it a dead letter of this reason. Not retriable as it is."""

    def __init__(self, reason: DeadLetterReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class QuestionReader:
    """Reads rows of one pipeline, in JSON; `codec`: how `events` has them."""

    def __init__(self, pipeline: Pipeline, codec: EventFormat) -> None:
        self._names = [feature.name for feature in pipeline.features]
        self._asked = EventCodec(pipeline)
        self._codec = codec
        self._same = pipeline.encoding.events == "json"
        self._max_future = int(pipeline.windows.max_future)

    def read(self, row: bytes, now: int) -> Question:
        """The question of a row; `now`, in epoch milliseconds, will be the time of its record.

        Raises:
            Unanswerable: when it does not fit the pipeline.
            RegistryAway: when the pipeline's encoding needs a schema registry that does not answer.
        """
        if len(row) > SINGLE_BYTES:
            raise Unanswerable("invalid", f"the event has {len(row)} bytes; {SINGLE_BYTES} may be")
        event, ts = self._event(row, now)
        value = row
        if not self._same:
            features = dict(zip(self._names, self._asked.values(event.features), strict=True))
            value = self._codec.encode(event.event_id, ts, event.entity, features)
            event = self._decoded(self._codec, value)
        return Question(event_id=event.event_id, entity=event.entity, key=(event.entity or event.event_id).encode(),
                        value=value, values=self._codec.values(event.features))

    def _event(self, row: bytes, now: int) -> tuple[Any, int]:
        event = self._decoded(self._asked, row)
        try:
            ts = epoch_ms(event.ts)
        except OverflowError as error:
            raise Unanswerable("timestamp", str(error)) from error
        if ts - now > self._max_future:
            raise Unanswerable("future", f"ts is {ts - now} ms ahead of now; windows.max_future allows "
                                         f"{self._max_future}")
        return event, ts

    @staticmethod
    def _decoded(codec: EventFormat, row: bytes) -> Any:
        try:
            return codec.decode(row)
        except msgspec.ValidationError as error:
            raise Unanswerable("invalid", str(error)) from error
        except msgspec.DecodeError as error:
            raise Unanswerable("malformed", str(error)) from error
