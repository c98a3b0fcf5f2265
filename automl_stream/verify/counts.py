"""Window counts and checkpoints against an offline recount of `events`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_stream.verify.artifacts import BadArtifact, Shelf
from automl_stream.verify.deliveries import Delivery, Row
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from automl_stream.verify.recount import Counted, Recount, Window
from drift.cells import category_cells, category_table, number_cells
from drift.errors import ProfileError
from drift.profile import FeatureProfile, ReferenceProfile
from schemas.messages import OpenWindow, PartitionCount, Prediction, ScoreState, Watermark, WindowCounts
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, MODEL_ARTIFACTS

COUNTS = "counts"
CHECKPOINTS = "checkpoints"
Key = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A reference profile under which rows were counted, and the reference of what the model that scored them says."""

    digest: str
    epoch: int
    reference: ReferenceProfile
    predictions: FeatureProfile | None

    def said(self, prediction: Prediction) -> tuple[int, int] | None:
        """Epoch and cell under which a prediction is counted."""
        feature = self.predictions
        if feature is None:
            return None
        if feature.kind == "number":
            (cell,) = number_cells(feature.edges, np.array([prediction.score]))
        else:
            (cell,) = category_cells(category_table(feature.kind, feature.categories), [str(prediction.prediction)])
        return prediction.model.epoch, int(cell)

    def cells(self, rows: list[Row], pipeline: Pipeline) -> NDArray[np.int64]:
        """Flat cell of every row and feature, shape (rows, features)."""
        names = [feature.name for feature in pipeline.features]
        columns = []
        for feature, offset in zip(self.reference.features, self.reference.offsets.tolist(), strict=False):
            values: list[Any] = [row.features[names.index(feature.name)] for row in rows]
            if feature.kind == "number":
                cells = number_cells(feature.edges, np.array(values, dtype=np.float64))
            else:
                cells = category_cells(category_table(feature.kind, feature.categories), values)
            columns.append(offset + cells.astype(np.int64))
        return np.stack(columns, axis=1)


@dataclass(frozen=True, kw_only=True)
class Recounted:
    """The recount of every partition; those whose beginning retention removed cannot be recounted."""

    partitions: dict[int, Recount]
    profiles: dict[int, Profile]
    prediction_cells: dict[int, int]

    def message(self, key: tuple[int, int], window: Window) -> OpenWindow:
        """A window as the services write it."""
        profile = self.profiles[key[1]]
        return OpenWindow(start=key[0], profile=profile.digest, profile_epoch=profile.epoch, rows=len(window.rows),
                          counts=window.counts(profile.reference.size),
                          predictions=window.predictions(self.prediction_cells))


def recount(reading: Reading, seen: Seen) -> Recounted:
    """Count everything again: each row under the profile of the epoch that scored it."""
    profiles = _profiles(reading, seen)
    by_partition: dict[int, list[Delivery]] = {
        partition: [] for partition, (first, _) in reading.recording.log(EVENTS).bounds.items() if first == 0}
    for delivery in reading.deliveries.values():
        if delivery.record.partition in by_partition:
            by_partition[delivery.record.partition].append(delivery)
    gone = reading.recording.log(EVENTS).bounds.keys() - by_partition.keys()
    if gone:
        seen.notes.append(f"retention removed the beginning of partitions {sorted(gone)}: they are not recounted")
    windows = reading.recording.pipeline.windows
    return Recounted(partitions={p: Recount.of(_counted(reading, deliveries, profiles), windows)
                                 for p, deliveries in by_partition.items()},
                     profiles={profile.epoch: profile for profile in profiles.values()},
                     prediction_cells={epoch: len(profile.predictions.counts) for epoch, profile in profiles.items()
                                       if profile.predictions is not None})


def check_counts(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Every final window is there, with the recount's rows, counts and offset; no other; watermarks agree."""
    recounted = recount(reading, seen)
    expected = {
        (partition, *key): WindowCounts(partition=partition, covered=window.covered or 0,
                                        window=recounted.message(key, window))
        for partition, found in recounted.partitions.items() for key, window in found.final.items()
    }
    first: dict[Key, WindowCounts] = {}
    for entry in reading.window_counts:
        message, where = entry.message, f"window-counts 0/{entry.record.offset}"
        if isinstance(message, PartitionCount):
            continue
        found = recounted.partitions.get(message.partition)
        if found is None or message.covered > _end(reading, message.partition):
            continue
        seen.count += 1
        if isinstance(message, WindowCounts):
            key = (message.partition, message.window.start, message.window.profile_epoch)
            known = first.setdefault(key, message)
            yield from _compare(where, known if known is not message else expected.get(key), message)
        elif message.watermark != found.watermark_at(message.covered):
            yield _difference(where, f"watermark {found.watermark_at(message.covered)} of partition "
                                     f"{message.partition} at offset {message.covered}", str(message.watermark))
    for key in sorted(expected.keys() - first.keys()):
        yield _difference(_named(key), shown(expected[key]), "no record")


def check_checkpoints(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """The last checkpoint of each partition covers all of it, and holds the recount's open windows and late rows."""
    recounted = recount(reading, Seen())
    for partition, (_, end) in reading.recording.log(EVENTS).bounds.items():
        state, found = reading.states.get(partition), recounted.partitions.get(partition)
        if end == 0 or (state is not None and state.covered > end):
            continue
        seen.count += 1
        where = f"score-state {partition}"
        if state is None or state.covered < end:
            covered = state.covered if state else "none"
            yield Difference(check=CHECKPOINTS, where=where, expected=f"covered {end}", found=str(covered))
        elif found is not None:
            yield from _compare_state(where, recounted, found, state)


def _compare_state(where: str, recounted: Recounted, found: Recount, state: ScoreState) -> Iterator[Difference]:
    windows = [recounted.message(key, window) for key, window in sorted(found.open.items())]
    pairs = {"windows": (windows, state.windows), "late_rows": (found.late_rows, state.late_rows),
             "watermark": (found.watermark_at(state.covered), state.watermark),
             "paused": (found.paused, state.paused)}
    for name, (wanted, stored) in pairs.items():
        if wanted != stored:
            yield Difference(check=CHECKPOINTS, where=where, expected=f"{name} {shown(wanted)}", found=shown(stored))


def _profiles(reading: Reading, seen: Seen) -> dict[int, Profile]:
    """Profile by epoch of the model that scored; a canary's rows count under the champion's."""
    shelf = Shelf.of(reading.recording.log(MODEL_ARTIFACTS))
    found: dict[int, Profile] = {}
    for accepted in (*reading.models.accepted, *reading.models.canaries):
        brought = reading.models.find(accepted.profile_epoch) or accepted
        announced, of_model = brought.announcement.profile, accepted.announcement.predictions
        try:
            reference = ReferenceProfile.decode(shelf.bytes_of(announced))
            said = None if of_model is None else ReferenceProfile.decode(shelf.bytes_of(of_model)).features[0]
        except (BadArtifact, ProfileError) as error:
            seen.notes.append(f"rows of epoch {accepted.epoch} cannot be recounted, its profile is bad: {error}")
            continue
        found[accepted.epoch] = Profile(digest=announced.digest, epoch=brought.epoch, reference=reference,
                                        predictions=said)
    return found


def _counted(reading: Reading, deliveries: list[Delivery], profiles: dict[int, Profile]) -> list[Counted]:
    """Scored rows and watermarks of one partition, in offset order."""
    rows: dict[int, list[tuple[Delivery, Row, Prediction]]] = {}
    records: list[Counted] = []
    for delivery in deliveries:
        record, content = delivery.record, delivery.content
        if isinstance(content, Watermark):
            records.append(Counted(offset=record.offset, ts=content.ts, record_ts=record.timestamp, ends=content.ends))
        elif isinstance(content, Row) and (winner := reading.winner(delivery.source)) is not None:
            rows.setdefault(winner.model.epoch, []).append((delivery, content, winner))
    for epoch, scored in rows.items():
        if (profile := profiles.get(epoch)) is not None:
            cells = profile.cells([row for _, row, _ in scored], reading.recording.pipeline)
            records += [Counted(offset=d.record.offset, ts=row.ts, record_ts=d.record.timestamp,
                                profile_epoch=profile.epoch, cells=cells[k], said=profile.said(prediction))
                        for k, (d, row, prediction) in enumerate(scored)]
    return sorted(records, key=lambda counted: counted.offset)


def _compare(where: str, expected: WindowCounts | None, found: WindowCounts) -> Iterator[Difference]:
    if expected is None:
        yield _difference(where, f"no final {_named(_key(found))}", shown(found))
    elif expected != found:
        yield _difference(f"{where}, {_named(_key(found))}", shown(expected), shown(found))


def _key(counts: WindowCounts) -> Key:
    return counts.partition, counts.window.start, counts.window.profile_epoch


def _named(key: Key) -> str:
    return f"window {key[1]} of partition {key[0]} under the profile of epoch {key[2]}"


def _end(reading: Reading, partition: int) -> int:
    return reading.recording.log(EVENTS).bounds[partition][1]


def _difference(where: str, expected: str, found: str) -> Difference:
    return Difference(check=COUNTS, where=where, expected=expected, found=found)
