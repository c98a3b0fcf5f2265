"""What a run of faults did to its events, recounted offline, one partition after the other: a million do not fit."""

from collections.abc import Iterable, Mapping
from itertools import chain

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from automl_stream.verify.counts import check_checkpoints, check_counts
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.identity import check_identity
from automl_stream.verify.reading import Entry, Reading, check_readable
from automl_stream.verify.scores import check_scores
from automl_stream.verify.sources import check_sources, lost_sources
from schemas.codec import encode
from schemas.messages import Prediction, Watermark
from schemas.topics import EVENTS, PREDICTIONS

ACKNOWLEDGED, BLAMED = "acknowledged", "blamed"
SHOWN = 20


class Verdict(Struct, frozen=True, kw_only=True):
    """Of a partition, or of several together. `rows`: records of `events` that are not watermarks; `repeats`: further
    predictions and dead letters of the same sources; `conflicting`: sources whose predictions of one epoch differ;
    `differences`: how many things are not as they must be, of which `first` shows some."""

    rows: int = 0
    lost: int = 0
    repeats: int = 0
    conflicting: int = 0
    counts_exact: bool = True
    differences: int = 0
    first: tuple[Difference, ...] = ()

    def __add__(self, other: "Verdict") -> "Verdict":
        return Verdict(
            rows=self.rows + other.rows, lost=self.lost + other.lost, repeats=self.repeats + other.repeats,
            conflicting=self.conflicting + other.conflicting, counts_exact=self.counts_exact and other.counts_exact,
            differences=self.differences + other.differences, first=(self.first + other.first)[:SHOWN])


def judge(reading: Reading, acknowledged: Mapping[tuple[int, int], bytes | None]) -> Verdict:
    """Recount a reading. `acknowledged`: the value that Kafka confirmed at (partition, offset) of `events`."""
    counts = [*check_counts(reading, Seen()), *check_checkpoints(reading, Seen())]
    checks = (check_readable, check_sources, check_identity, check_scores)
    others = [*chain.from_iterable(check(reading, Seen()) for check in checks), *_changed(reading, acknowledged),
              *_blamed(reading)]
    rows = sum(not isinstance(delivery.content, Watermark) for delivery in reading.deliveries.values())
    dead = len({entry.message.source for entry in reading.dead_letters})
    said = sum(map(len, reading.predictions.values())) + len(reading.dead_letters)
    return Verdict(
        rows=rows, lost=len(lost_sources(reading)), repeats=said - len(reading.predictions) - dead,
        conflicting=sum(map(_conflicts, reading.predictions.values())), counts_exact=not counts,
        differences=len(counts) + len(others), first=tuple((counts[: SHOWN // 2] + others)[:SHOWN]))


def write_times(reading: Reading) -> dict[int, NDArray[np.float64]]:
    """When the predictions of each partition were written, epoch seconds, ascending."""
    times: dict[int, list[int]] = {partition: [] for partition in reading.recording.log(PREDICTIONS).bounds}
    for record in reading.recording.log(PREDICTIONS).records:
        times[record.partition].append(record.timestamp)
    return {partition: np.sort(np.array(found, dtype=np.float64)) / 1_000 for partition, found in times.items()}


def _changed(reading: Reading, acknowledged: Mapping[tuple[int, int], bytes | None]) -> Iterable[Difference]:
    """Every confirmed event lies where Kafka said, and `events` has no other rows."""
    records = {(d.record.partition, d.record.offset): d.record.value for d in reading.deliveries.values()
               if not isinstance(d.content, Watermark)}
    for place in sorted(records.keys() | acknowledged.keys()):
        found = records.get(place, b"no record")
        wanted = acknowledged.get(place, b"no record")
        if found != wanted:
            yield Difference(check=ACKNOWLEDGED, where=f"{EVENTS.name} {place[0]}/{place[1]}", expected=shown(wanted),
                             found=shown(found))


def _blamed(reading: Reading) -> Iterable[Difference]:
    """No event of a run kills its worker: whoever is dead-lettered for that was blamed for our kills."""
    return [Difference(check=BLAMED, where=entry.message.source, expected="a prediction", found=entry.message.detail)
            for entry in reading.dead_letters if entry.message.reason == "poison"]


def _conflicts(entries: list[Entry[Prediction]]) -> bool:
    if len(entries) == 1:
        return False
    distinct = {encode(msgspec.structs.replace(entry.message, scored_at=0)) for entry in entries}
    return len(distinct) > len({entry.message.model.epoch for entry in entries})
