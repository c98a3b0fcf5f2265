"""From columns to rows as the pipeline's [replay] says. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time

import msgspec
from msgspec import Struct

from producers.errors import UnusableFile
from schemas.codec import EventCodec, epoch_ms
from schemas.messages import FeatureValue
from schemas.pipeline import Pipeline, Replay

Time = int | str | datetime | date | None

BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
_NUMBER = re.compile(r"-?\d+")


class Row(Struct, frozen=True, kw_only=True):
    """One event with its label. `ts`: epoch ms, or what the file holds where that is no time.

    `problem` says why the event does not fit its pipeline; it is sent all the same and ends as a dead letter.
    """

    number: int
    event_id: str
    ts: int | str | None
    entity: str
    features: dict[str, FeatureValue]
    label: FeatureValue
    problem: str = ""

    @property
    def fits(self) -> bool:
        """Whether the event will be scored."""
        return not self.problem

    @property
    def key(self) -> bytes:
        """What decides the partition: the entity, or the event where there is none."""
        return (self.entity or self.event_id).encode()


class Block(Struct, frozen=True, kw_only=True):
    """Equally long columns of consecutive rows; the first one has the number `first`. `times` None: by row number."""

    first: int
    features: Mapping[str, Sequence[FeatureValue]]
    labels: Sequence[FeatureValue]
    entities: Sequence[str | None]
    times: Sequence[Time] | None = None


def replay_of(pipeline: Pipeline) -> Replay:
    """The pipeline's [replay] table.

    Raises:
        UnusableFile: when the pipeline has none.
    """
    if pipeline.replay is None:
        raise UnusableFile(
            f"pipeline '{pipeline.name}' does not say how a row becomes an event; "
            'add a [replay] table with label = "<column>" to its file'
        )
    return pipeline.replay


def check_columns(columns: Sequence[str], pipeline: Pipeline, origin: str, *, labels: bool = True) -> None:
    """Every column the pipeline needs is there, and every other one is dropped by name.

    Raises:
        UnusableFile: naming `origin`, the column, the columns there are, and the key to change.
    """
    replay = replay_of(pipeline)
    there = f"its columns are {', '.join(columns)}"
    wanted = [("replay.label", replay.label)] if labels else []
    wanted += [(f"replay.{key}", name) for key, name in (("time", replay.time), ("entity", replay.entity)) if name]
    wanted += [("features", feature.name) for feature in pipeline.features if not feature.optional]
    for key, name in wanted:
        if name not in columns:
            without = "; or replay without labels" if key == "replay.label" else ""
            raise UnusableFile(f"{origin}: column '{name}' (key '{key}' of pipeline '{pipeline.name}') is missing; "
                               f"{there}; change the key or the file{without}")
    known = {feature.name for feature in pipeline.features}
    known |= {replay.label, replay.time or replay.label, replay.entity or replay.label, *replay.drop}
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise UnusableFile(f"{origin}: pipeline '{pipeline.name}' does not know the columns {', '.join(unknown)}; "
                           "describe them under [[features]] or list them in key 'replay.drop'")


class RowShape:
    """How one pipeline's columns become rows. `start`: event time of row 0 where there is no time column, epoch ms."""

    def __init__(self, pipeline: Pipeline) -> None:
        replay = replay_of(pipeline)
        self._codec = EventCodec(pipeline)
        self._spacing = replay.spacing
        try:
            self.start = epoch_ms(datetime.fromisoformat(replay.start))
        except (ValueError, OverflowError) as error:
            raise UnusableFile(f"pipeline '{pipeline.name}': key 'replay.start': found '{replay.start}'; "
                               "allowed: a time such as 2000-01-01T00:00:00Z") from error

    def rows(self, block: Block) -> Iterator[Row]:
        """Rows of a block."""
        names = tuple(block.features)
        values = zip(*block.features.values(), strict=True)
        for index, (features, entity, label) in enumerate(zip(values, block.entities, block.labels, strict=True)):
            number = block.first + index
            ts = self.start + number * self._spacing if block.times is None else _time(block.times[index])
            yield self._row(number, ts, entity or "", dict(zip(names, features, strict=True)), label)

    def _row(self, number: int, ts: int | str | None, entity: str, features: dict[str, FeatureValue],
             label: FeatureValue) -> Row:
        return checked(Row(number=number, event_id=str(number), ts=ts, entity=entity, features=features, label=label),
                       self._codec)


def checked(row: Row, codec: EventCodec) -> Row:
    """The row, with the reason where its event does not fit the pipeline of `codec`."""
    try:
        epoch_ms(codec.decode(codec.encode(row.event_id, row.ts, row.entity, row.features)).ts)
    except (msgspec.MsgspecError, OverflowError) as error:
        return msgspec.structs.replace(row, problem=str(error))
    return row


def _time(value: Time) -> int | str | None:
    """Epoch ms of a time in a file: a date, ISO 8601 text (UTC where it names no zone) or epoch ms. Anything else is
    left as it is."""
    if value is None:
        return None
    try:
        if isinstance(value, date) and not isinstance(value, datetime):
            return epoch_ms(datetime.combine(value, time()))
        if isinstance(value, datetime):
            return epoch_ms(value)
        return epoch_ms(int(value) if _NUMBER.fullmatch(str(value)) else datetime.fromisoformat(str(value)))
    except (ValueError, OverflowError):
        return str(value)
