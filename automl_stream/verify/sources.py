"""Invariant M: every record of `events` ends as a prediction or as a dead letter, and as nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from automl_stream.verify.deliveries import Delivery, Row
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from schemas.messages import DeadLetter, Prediction, Watermark

SOURCES = "sources"


@dataclass(kw_only=True)
class Graves:
    """Dead letters: by source, and ranges (partition, first, last) that retention removed."""

    by_source: dict[str, list[DeadLetter]] = field(default_factory=dict)
    ranges: list[tuple[int, int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, reading: Reading) -> "Graves":
        """All dead letters of a reading."""
        graves = cls()
        for entry in reading.dead_letters:
            letter = entry.message
            if letter.reason == "expired":
                _, partition, first = letter.source.rsplit("-", 2)
                graves.ranges.append((int(partition), int(first), letter.last_offset))
            else:
                graves.by_source.setdefault(letter.source, []).append(letter)
        return graves

    def holds(self, delivery: Delivery) -> bool:
        """Whether a delivery is among the dead letters."""
        record = delivery.record
        return delivery.source in self.by_source or any(
            partition == record.partition and first <= record.offset <= last for partition, first, last in self.ranges)


def lost_sources(reading: Reading) -> list[str]:
    """Sources that ended as nothing."""
    graves = Graves.of(reading)
    return [source for source, delivery in reading.deliveries.items()
            if not isinstance(delivery.content, Watermark)
            and source not in reading.predictions and not graves.holds(delivery)]


def check_sources(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Each source ends once: as predictions that agree, or as a dead letter of its own bytes."""
    graves = Graves.of(reading)
    for delivery in reading.deliveries.values():
        seen.count += 1
        yield from _ending(delivery, delivery.source in reading.predictions, graves)
    for source in sorted((reading.predictions.keys() | graves.by_source.keys()) - reading.deliveries.keys()):
        kind = "prediction" if source in reading.predictions else "dead letter"
        yield _difference(source, "a record of events", f"a {kind} without one")
    for source, entries in reading.predictions.items():
        yield from _agreement(source, entries)
    for source, letters in graves.by_source.items():
        if source in reading.deliveries:
            yield from _faithful(reading.deliveries[source], letters)


def _ending(delivery: Delivery, predicted: bool, graves: Graves) -> Iterator[Difference]:
    dead = graves.holds(delivery)
    if isinstance(delivery.content, Watermark):
        if predicted or delivery.source in graves.by_source:
            yield _difference(delivery.source, "neither prediction nor dead letter of a watermark",
                              "a prediction" if predicted else "a dead letter")
    elif predicted and dead:
        yield _difference(delivery.source, "a prediction or a dead letter", "both")
    elif not predicted and not dead:
        yield _difference(delivery.source, "a prediction or a dead letter", "neither: the event is lost")


def _agreement(source: str, entries: list[Entry[Prediction]]) -> Iterator[Difference]:
    """Of one source and epoch all predictions are equal but for `scored_at`."""
    first: dict[int, Prediction] = {}
    for entry in entries if len(entries) > 1 else ():
        prediction = entry.message
        known = first.setdefault(prediction.model.epoch, prediction)
        if known != msgspec.structs.replace(prediction, scored_at=known.scored_at):
            yield _difference(source, f"equal predictions of epoch {prediction.model.epoch}: {shown(known)}",
                              shown(prediction))


def _faithful(delivery: Delivery, letters: list[DeadLetter]) -> Iterator[Difference]:
    """The dead letter carries the record as it was, and had a reason."""
    record = delivery.record
    wanted = (record.value, record.key, record.timestamp, record.offset)
    for letter in letters:
        found = (letter.raw, letter.raw_key, letter.record_ts, letter.last_offset)
        if found != wanted:
            yield _difference(delivery.source, f"dead letter of {shown(wanted)}", shown(found))
        if isinstance(delivery.content, Row) and letter.reason != "poison":
            yield _difference(delivery.source, "a prediction: the event can be read",
                              f"a dead letter, {letter.reason}: {letter.detail}")


def _difference(source: str, expected: str, found: str) -> Difference:
    return Difference(check=SOURCES, where=source, expected=expected, found=found)
