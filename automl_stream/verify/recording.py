"""What one pipeline wrote, as plain values: its topics record by record, and the rows of PostgreSQL. No I/O."""

from msgspec import Struct

from automl_stream.stored_prediction import StoredPrediction
from automl_stream.topic_log import Log
from schemas.codec import EventFormat
from schemas.messages import LabelValue
from schemas.pipeline import Pipeline
from schemas.topics import Topic

_FIRST_DAY = "0001-01-01"  # of a table that has dropped none


class MessageRow(Struct, frozen=True, kw_only=True):
    """A row of the table `messages`."""

    topic: str
    partition: int
    position: int
    record_ts: int
    key: bytes | None
    value: bytes | None


class LabelRow(Struct, frozen=True, kw_only=True):
    """A row of the table `labels`. `emitted`: the training log has it as it stands here."""

    entity: str
    event_id: str
    ts: int
    label: LabelValue
    revision: int
    labeller: str
    implicit: bool
    conflict: bool
    expired: bool
    emitted: bool


class RefusedRow(Struct, frozen=True, kw_only=True):
    """A row of the table `refused`: a prediction that PostgreSQL cannot hold, or a label that cannot be used."""

    topic: str
    partition: int
    position: int
    value: bytes | None


class Kept(Struct, frozen=True, kw_only=True):
    """What PostgreSQL no longer holds, and need not. `predictions`, `messages`: the first day that is kept (ISO 8601);
    `erased_sources`, `erased_places` (topic, partition, position): rows of a person who was erased."""

    predictions: str = ""
    messages: str = ""
    erased_sources: frozenset[str] = frozenset()
    erased_places: frozenset[tuple[str, int, int]] = frozenset()

    @property
    def some_labels(self) -> bool:
        """Whether labels may be missing: they go with their predictions, or with their person."""
        return self.predictions > _FIRST_DAY or bool(self.erased_sources or self.erased_places)


class Rows(Struct, frozen=True, kw_only=True):
    """The rows of the pipeline's schema in PostgreSQL. `kept`: what they need not hold."""

    predictions: list[StoredPrediction]
    messages: list[MessageRow]
    refused: list[RefusedRow]
    labels: list[LabelRow] = []
    kept: Kept = Kept()


class Recording(Struct, frozen=True, kw_only=True):
    """Everything that is judged. `topic_id`: Kafka's id of `events`; `logs` by the name in the table of topics;
    `codec`: of the events, JSON where None."""

    pipeline: Pipeline
    topic_id: str
    logs: dict[str, Log]
    rows: Rows
    codec: EventFormat | None = None

    def log(self, topic: Topic) -> Log:
        """The records of a topic."""
        return self.logs[topic.name]
