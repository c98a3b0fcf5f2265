"""One pipeline's dead letters in Kafka, and the records of `events` that they came from."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from automl_stream.dead_letters.letter import Letter, LetterRecord, Source, distinct_letters
from automl_stream.dead_letters.originals import EventRecord, Originals, look_up
from automl_stream.topic_log import Bounds, MissingTopic, Record, TopicLog
from kafka_access.access import KafkaAccess
from schemas.topics import DEAD_LETTERS, EVENTS, topic_name
from stream_apps.topics import MissingTopic as NoSuchTopic
from stream_apps.topics import topic_id

_STEP = 1_000

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


class Trace(NamedTuple):
    """What it takes to look for the record of a letter: not before `since` (epoch ms) stands its first replay."""

    source: Source
    since: int

    @classmethod
    def of(cls, letter: Letter) -> "Trace":
        """Its record and all its replays are not older than this: see Replayer on the time that a replay bears."""
        return cls(letter.source, min(letter.content.record_ts, letter.written))


class LetterBox:
    """Reads the letters that were there when it was made, as often as asked; `unreadable` counts other records."""

    def __init__(self, pipeline: str, kafka: KafkaAccess, log: TopicLog, progress: Progress) -> None:
        """Raises MissingTopic or KafkaUnavailable."""
        self.events = topic_name(pipeline, EVENTS)
        self.dead_letters = topic_name(pipeline, DEAD_LETTERS)
        self._log = log
        self.progress = progress
        self._bounds = log.bounds(self.dead_letters)
        self.unreadable: list[str] = []
        try:
            self.topic_id = topic_id(self.events, kafka)
        except NoSuchTopic as error:
            raise MissingTopic(str(error)) from error

    def letters(self, since: int | None = None) -> Iterator[Letter]:
        """Every source's letter, in the order written; with `since` (epoch ms) about from there."""
        self.unreadable = []
        bounds = self._bounds
        if since is not None:
            later = self._log.bounds(self.dead_letters, since)
            bounds = {p: (min(later.get(p, (end,))[0], end), end) for p, (_, end) in bounds.items()}
        records = self._watched("reading dead letters", self.dead_letters, bounds)
        yield from distinct_letters((LetterRecord(r.offset, r.timestamp, r.value) for r in records),
                                    self.unreadable.append)

    def originals(self, traces: Iterable[Trace]) -> Originals:
        """What `events` tells about these letters now."""
        wanted = {source: since for source, since in traces if source.topic_id == self.topic_id}
        if not wanted:
            return Originals(topic_id=self.topic_id)
        bounds = self._log.bounds(self.events, min(wanted.values()))
        records = self._watched("looking through events", self.events, bounds)
        return look_up((EventRecord(r.partition, r.offset, r.headers) for r in records), self.topic_id, wanted)

    def _watched(self, what: str, topic: str, bounds: Bounds) -> Iterator[Record]:
        total = sum(end - first for first, end in bounds.values())
        for done, record in enumerate(self._log.stream(topic, bounds), 1):
            yield record
            if done % _STEP == 0:
                self.progress(what, done, total)
        self.progress(what, total, total)
