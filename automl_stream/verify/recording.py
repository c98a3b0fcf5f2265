"""What one pipeline wrote, as plain values: its topics record by record, and the rows of PostgreSQL. No I/O."""

from msgspec import Struct

from automl_stream.topic_log import Log
from schemas.codec import EventFormat
from schemas.messages import FeatureValue, LabelValue
from schemas.pipeline import Pipeline
from schemas.topics import Topic


class PredictionRow(Struct, frozen=True, kw_only=True):
    """A row of the table `predictions`, column by column."""

    source: str
    source_day: str
    partition: int
    position: int
    event_id: str
    entity: str
    ts: int
    pipeline_digest: str
    model_version: str
    model_digest: str
    model_epoch: int
    prediction: str
    score: float
    probabilities: list[float] | None
    features: list[FeatureValue]
    scored_at: int
    answered_epoch: int | None


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


class Rows(Struct, frozen=True, kw_only=True):
    """The rows of the pipeline's schema in PostgreSQL."""

    predictions: list[PredictionRow]
    messages: list[MessageRow]
    refused: list[RefusedRow]
    labels: list[LabelRow] = []


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
