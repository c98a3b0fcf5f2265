"""A request's way: rows → questions → replies → `events` → answers. What is answered stands in Kafka."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from msgspec import Struct
from msgspec.structs import replace

from kafka_access.access import KafkaAccess
from schemas.codec import ANSWERED_EPOCH, EventFormat
from schemas.messages import LabelValue, Model
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, topic_name
from stream_apps.model_follower import ModelFollower
from stream_apps.model_slot import LoadedModel, Slots
from stream_apps.predict.event_log import Entry, EventLog, Place
from stream_apps.predict.explainer import Explainer
from stream_apps.predict.explaining import Explanation
from stream_apps.predict.metrics import PredictionMetrics
from stream_apps.predict.questions import Question, QuestionReader, Unanswerable
from stream_apps.predict.replies import Replier, Reply
from stream_apps.topics import MissingTopic, topic_id

PIECE = 250  # rows that are answered at a time, so that others are answered in between
RETRY_SECONDS = 1.0
NO_MODEL = "pipeline '{}' has no model yet; `automl-stream bootstrap` makes the first"

log = structlog.get_logger()
Clock = Callable[[], int]


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is said of one event. `source`: its record in `events`, which its prediction on record will name; that is
    the score worker's, and may come from a newer model. `unexplained`: why there is no explanation, where one was asked
    for."""

    event_id: str
    entity: str
    source: str
    model: Model
    prediction: LabelValue
    score: float
    probabilities: list[float] | None = None
    explanation: Explanation | None = None
    unexplained: str | None = None


class NotReady(Exception):
    """There is nothing to answer with yet. Retriable."""


class Desk:
    """Answers rows of one pipeline's events."""

    def __init__(self, pipeline: Pipeline, codec: EventFormat, kafka: KafkaAccess, events: EventLog,
                 metrics: PredictionMetrics, clock: Clock = lambda: time.time_ns() // 1_000_000) -> None:
        """`clock` in epoch milliseconds. Nothing is read before `follow`."""
        self._pipeline = pipeline
        self._kafka = kafka
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._reader = QuestionReader(pipeline, codec)
        self._asks = pipeline.encoding.events != "json"  # a schema registry, which may be slow
        self._replier = Replier(pipeline)
        self._explainer = Explainer()
        self._topic_id = ""
        self.slots: Slots | None = None

    async def follow(self) -> None:
        """Keep the models in charge, for ever; while Kafka is away those that it had."""
        events = topic_name(self._pipeline.name, EVENTS)
        while True:
            try:
                self._topic_id = await asyncio.to_thread(topic_id, events, self._kafka)
                await ModelFollower(self._pipeline, self._kafka, self._metrics.serving).run(self._take)
            except (MissingTopic, KafkaException, KafkaError) as error:
                log.warning("models cannot be followed; trying again", reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    def _take(self, slots: Slots) -> None:
        self.slots = slots
        log.info("models ready", epoch=slots.epoch)

    async def answer(self, rows: Sequence[bytes], explain_seconds: float | None = None) -> list[Answer | Unanswerable]:
        """The answer to each row, or why there is none; with `explain_seconds` the explanations too that are found in
        that time.

        Raises:
            NotReady: while there is no model.
            NotConfirmed: when Kafka does not confirm the events in time: no row is answered.
            RegistryAway: as `QuestionReader.read`.
        """
        slots = self.slots
        if slots is None:
            raise NotReady(NO_MODEL.format(self._pipeline.name))
        now = self._clock()
        found: list[tuple[Question, Reply] | Unanswerable] = []
        for first in range(0, len(rows), PIECE):
            found += await self._replies(rows[first:first + PIECE], slots, now)
        entries = [_entry(question, reply, now) for question, reply in
                   (one for one in found if not isinstance(one, Unanswerable))]
        places = iter(await self._events.append(entries) if entries else [])
        self._count(found)
        answers = [one if isinstance(one, Unanswerable) else self._answer(*one, next(places)) for one in found]
        return answers if explain_seconds is None else await self._explained(found, answers, slots, explain_seconds)

    def _count(self, found: Sequence[tuple[Question, Reply] | Unanswerable]) -> None:
        refused = [one for one in found if isinstance(one, Unanswerable)]
        self._metrics.answered.inc(len(found) - len(refused))
        for one in refused:
            self._metrics.refused.labels(one.reason).inc()

    def trouble(self) -> str:
        """Why no question could be answered now; nothing when all is well."""
        if self.slots is None:
            return NO_MODEL.format(self._pipeline.name)
        return "Kafka does not answer" if self._events.away else ""

    async def close(self) -> None:
        """Let go of the explainer and of Kafka."""
        await self._explainer.close()
        await asyncio.to_thread(self._events.close)

    async def _replies(self, rows: Sequence[bytes], slots: Slots,
                       now: int) -> list[tuple[Question, Reply] | Unanswerable]:
        if self._asks:
            asked = await asyncio.to_thread(lambda: [self._question(row, now) for row in rows])
        else:
            asked = [self._question(row, now) for row in rows]
            await asyncio.sleep(0)
        questions = [one for one in asked if isinstance(one, Question)]
        replies = zip(questions, self._replier.replies(questions, slots), strict=True)
        return [one if isinstance(one, Unanswerable) else _paired(*next(replies)) for one in asked]

    def _question(self, row: bytes, now: int) -> Question | Unanswerable:
        try:
            return self._reader.read(row, now)
        except Unanswerable as error:
            return error

    def _answer(self, question: Question, reply: Reply, place: Place) -> Answer:
        return Answer(event_id=question.event_id, entity=question.entity, model=reply.model,
                      source=f"{self._topic_id}-{place.partition}-{place.offset}", prediction=reply.prediction,
                      score=reply.score, probabilities=reply.probabilities)

    async def _explained(self, found: Sequence[tuple[Question, Reply] | Unanswerable],
                         answers: Sequence[Answer | Unanswerable], slots: Slots,
                         seconds: float) -> list[Answer | Unanswerable]:
        deadline = asyncio.get_running_loop().time() + seconds
        explained: list[Answer | Unanswerable] = []
        for one, given in zip(found, answers, strict=True):
            if isinstance(given, Unanswerable) or isinstance(one, Unanswerable):
                explained.append(given)
                continue
            why = await self._explainer.explain(_model(slots, given.model), one[0].values, given.prediction, deadline)
            explained.append(replace(given, unexplained=why) if isinstance(why, str)
                             else replace(given, explanation=why))
        return explained


def _paired(question: Question, reply: Reply | Unanswerable) -> tuple[Question, Reply] | Unanswerable:
    return reply if isinstance(reply, Unanswerable) else (question, reply)


def _entry(question: Question, reply: Reply, now: int) -> Entry:
    return Entry(question.key, question.value, [(ANSWERED_EPOCH, b"%d" % reply.model.epoch)], now)


def _model(slots: Slots, model: Model) -> LoadedModel:
    canary = slots.canary
    return canary if canary is not None and canary.model.epoch == model.epoch else slots.champion
