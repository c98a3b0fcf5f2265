"""What `events` tells about dead letters: what their records were, and which of them were sent again already."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from automl_stream.dead_letters.letter import Source
from schemas.codec import WATERMARK_HEADER

REPLAYED_FROM = "replayed-from"

Fate = Literal["send", "replayed before", "no bytes", "former topic", "gone", "watermark", "too large"]

REFUSALS: dict[Fate, str] = {
    "no bytes": "it has no bytes to send",
    "former topic": "its record was in a topic of the same name that was deleted since: nothing tells what it was",
    "gone": "its record has left events: nothing tells an event from a watermark any more",
    "watermark": "its record was a watermark: as an event it would mean something else",
    "too large": "with the header of a replay it is larger than the topic allows",
}


class EventRecord(NamedTuple):
    """A record of `events`, as far as it matters here."""

    partition: int
    offset: int
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True)
class Originals:
    """`present`: dead letters whose record is still there; `watermarks`: those that were one. An event may be replayed
    and die again: `origins` leads from every replay to the first dead letter of its event, `replays` back."""

    topic_id: str
    present: set[Source] = field(default_factory=set)
    watermarks: set[Source] = field(default_factory=set)
    origins: dict[Source, Source] = field(default_factory=dict)
    replays: dict[Source, list[Source]] = field(default_factory=dict)

    def origin(self, source: Source) -> Source:
        """The first dead letter of the event of `source`."""
        return self.origins.get(source, source)

    def fate(self, source: Source, *, has_bytes: bool) -> Fate:
        """What a replay does with a dead letter."""
        if not has_bytes:
            return "no bytes"
        if source.topic_id != self.topic_id:
            return "former topic"
        if source not in self.present:
            return "gone"
        if source in self.watermarks:
            return "watermark"
        return "replayed before" if self.origin(source) in self.replays else "send"


def look_up(records: Iterable[EventRecord], topic_id: str, wanted: Collection[Source]) -> Originals:
    """Go through `records` of `events`, whose Kafka id is `topic_id`, for the sources `wanted` and for all replays."""
    found = Originals(topic_id=topic_id)
    places = {(source.partition, source.offset) for source in wanted if source.topic_id == topic_id}
    for record in records:
        if (record.partition, record.offset) in places:
            source = Source(topic_id, record.partition, record.offset)
            found.present.add(source)
            if WATERMARK_HEADER in record.headers:
                found.watermarks.add(source)
        for name, value in record.headers:
            if name == REPLAYED_FROM:
                _note_replay(found, Source(topic_id, record.partition, record.offset), value)
    return found


def _note_replay(found: Originals, replay: Source, header: bytes) -> None:
    try:
        origin = Source.parse(header.decode())
    except ValueError:
        return  # somebody else's header of that name
    found.origins[replay] = origin
    found.replays.setdefault(origin, []).append(replay)
