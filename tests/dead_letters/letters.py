"""Dead letters as they lie in the topic."""

from automl_stream.dead_letters.letter import Letter, LetterRecord, Source
from schemas.codec import encode
from schemas.messages import DeadLetter, DeadLetterReason

TOPIC_ID = "a-b_C"
WRITTEN = 1_700_000_000_000


def source(offset: int, partition: int = 0, topic_id: str = TOPIC_ID) -> Source:
    return Source(topic_id, partition, offset)


def content(place: Source, reason: DeadLetterReason = "invalid", raw: bytes | None = b"{}", *, detail: str = "why",
            last: int | None = None) -> DeadLetter:
    return DeadLetter(source=str(place), reason=reason, detail=detail, raw=raw, raw_key=b"k", record_ts=WRITTEN - 50,
                      last_offset=place.offset if last is None else last)


def letter(place: Source, reason: DeadLetterReason = "invalid", raw: bytes | None = b"{}", *, detail: str = "why",
           last: int | None = None, written: int = WRITTEN) -> Letter:
    return Letter(source=place, content=content(place, reason, raw, detail=detail, last=last), offset=0,
                  written=written)


def record(offset: int, message: DeadLetter) -> LetterRecord:
    return LetterRecord(offset, WRITTEN + offset, encode(message))
