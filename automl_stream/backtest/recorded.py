"""What a pipeline has recorded, as the rows of a backtest: every event once, with its label where it has one. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from automl_stream.dead_letters.letter import Source
from producers.rows import Row, checked
from schemas.codec import EventCodec
from schemas.messages import FeatureValue, LabelledEvent, LabelValue
from schemas.pipeline import Pipeline


class Served(Struct, frozen=True, kw_only=True):
    """Of a prediction, what a backtest replays."""

    event_id: str
    entity: str
    ts: int
    source: str
    features: tuple[FeatureValue, ...]


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """A recorded event; without a label, `place` is the partition and offset of its delivery."""

    event_id: str
    entity: str
    ts: int
    features: tuple[FeatureValue, ...]
    label: LabelValue | None = None
    revision: int = 0
    place: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Events in order of event time; `strangers`: deliveries left out because they have another number of features."""

    events: Sequence[Event]
    strangers: int = 0

    @property
    def labelled(self) -> int:
        """How many have a label."""
        return sum(event.label is not None for event in self.events)

    def rows(self, pipeline: Pipeline) -> Iterator[Row]:
        """The events as a file's rows, numbered from 0; values that no longer fit the pipeline are a row's problem."""
        codec, names = EventCodec(pipeline), [feature.name for feature in pipeline.features]
        for number, event in enumerate(self.events):
            features = dict(zip(names, event.features, strict=True))
            yield checked(Row(number=number, event_id=event.event_id, ts=event.ts, entity=event.entity,
                              features=features, label=event.label), codec)


class DistinctEvents:
    """Takes deliveries: all labelled ones before those that were served."""

    def __init__(self, features: int, since: int | None = None) -> None:
        """`features`: how many an event has; events before `since` (epoch ms) are left out."""
        self._features = features
        self._since = since
        self._strangers = 0
        self._events: dict[tuple[str, str], Event] = {}

    def labelled(self, event: LabelledEvent) -> None:
        """Of several labels the highest revision counts; two of one revision contradict each other: neither does."""
        if not self._wanted(event.ts, event.features):
            return
        key = event.entity, event.event_id
        known = self._events.get(key)
        label = None if event.conflict else event.label
        if known is None or event.revision > known.revision:
            self._events[key] = Event(event_id=event.event_id, entity=event.entity, ts=event.ts,
                                      features=tuple(event.features), label=label, revision=event.revision)
        elif event.revision == known.revision and label != known.label:
            self._events[key] = replace(known, label=None)

    def served(self, event: Served) -> None:
        """What may have no label yet; of several deliveries the lowest source counts, as it does when its label comes.

        Raises:
            ValueError: where its source is none.
        """
        if not self._wanted(event.ts, event.features):
            return
        key = event.entity, event.event_id
        place = Source.parse(event.source)[1:]
        known = self._events.get(key)
        if known is None or (known.place is not None and place < known.place):
            self._events[key] = Event(event_id=event.event_id, entity=event.entity, ts=event.ts,
                                      features=event.features, place=place)

    def recorded(self, last: int | None = None) -> Recorded:
        """All events, or the `last` ones. Those of one time are in the order of their ids, shorter ones first: so the
        rows of a replayed file, whose ids are their numbers, keep the file's order."""
        ordered = sorted(self._events.values(), key=lambda e: (e.ts, len(e.event_id), e.event_id, e.entity))
        return Recorded(events=ordered if last is None else ordered[-last:], strangers=self._strangers)

    def _wanted(self, ts: int, features: Sequence[FeatureValue]) -> bool:
        if self._since is not None and ts < self._since:
            return False
        if len(features) != self._features:
            self._strangers += 1
            return False
        return True
