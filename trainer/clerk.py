"""What MLflow gets off the way to the announcement: pictures of each promoted model, and the word 'abandoned'.

It is made again from the topics and asked of MLflow before it is made, so a crash loses nothing: a started trainer asks
for the newest decisions once more.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from threading import Condition, Thread

import msgspec
import structlog

from drift.profile import ReferenceProfile
from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import Dataset, LabelledEvent, TrainingDecision
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline
from schemas.topics import LABELLED, topic_name
from trainer.announce import Announcer
from trainer.errors import RegistryUnavailable, TrainerError
from trainer.evidence import Evidence, examine
from trainer.history import History
from trainer.kafka_log import LogReader, LogWriter
from trainer.metrics import TrainerMetrics
from trainer.pictures import pictures
from trainer.registration import abandon, add_evidence, lacks_evidence
from trainer.registry import Registry

log = structlog.get_logger()

ROWS = 2_000  # newest of those that a model was fitted on
KEPT = 20  # decisions that wait at a time, and that a start asks for again; of a longer burst the newest
_PAUSE_S = 10.0


class Clerk:
    """A thread of its own that only reads Kafka, and writes through the registry's thread."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, writer: LogWriter, registry: Registry,
                 metrics: TrainerMetrics) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._writer = writer
        self._registry = registry
        self._metrics = metrics
        self._waiting: deque[TrainingDecision] = deque(maxlen=KEPT)
        self._changed = Condition()
        self._sweep: Future[int] | None = None
        self._swept = False
        Thread(target=self._work, name="clerk", daemon=True).start()

    def later(self, decision: TrainingDecision) -> None:
        """Give the model of a promoted decision its pictures, in time."""
        with self._changed:
            self._waiting.append(decision)
            self._changed.notify()

    def sweep(self) -> None:
        """From now on there may be decisions that will never be announced."""
        self._swept = False

    def idle(self, announced: Callable[[], Iterable[str]]) -> None:
        """Tag what was registered and will never be announced, once after a start or `sweep`. Called where no decision
        is under way; `announced` tells those that were. Registrations that come later queue up behind it."""
        if self._sweep is not None and self._sweep.done():
            error = self._sweep.exception()
            self._swept = error is None
            if error is not None:
                log.warning("what was abandoned is not tagged yet", reason=str(error))
            elif self._sweep.result():
                log.info("registered, never announced: tagged abandoned", entries=self._sweep.result())
            self._sweep = None
        elif self._sweep is None and not self._swept:
            call = partial(abandon, model_name=self._pipeline.name, announced=frozenset(announced()))
            self._sweep = self._registry.submit(call)

    def _work(self) -> None:
        reader = LogReader(self._kafka)
        announcer = Announcer(self._pipeline, reader, self._writer, lambda: 0)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                decision = self._waiting[0]
            try:
                self._picture(decision, reader, announcer)
            except RegistryUnavailable as error:
                log.warning("pictures wait for the registry", decision_id=decision.decision_id, reason=str(error))
                time.sleep(_PAUSE_S)
                continue
            except Exception:  # a model serves well without pictures; the next start tries again
                self._metrics.pictures.inc()
                log.exception("a model has no pictures", decision_id=decision.decision_id)
            with self._changed:
                if self._waiting and self._waiting[0] is decision:
                    self._waiting.popleft()

    def _picture(self, decision: TrainingDecision, reader: LogReader, announcer: Announcer) -> None:
        run, recipe = decision.run, decision.recipe
        if run is None or recipe is None or not self._registry.submit(partial(lacks_evidence, run=run)).result():
            return
        began = time.perf_counter()
        announced = next((a for a in announcer.models().announced()
                          if a.announcement.decision_id == decision.decision_id), None)
        if announced is None:
            raise TrainerError(f"decision {decision.decision_id} has no announcement")
        evidence = self._examine(announced, recipe.dataset, decision.at, reader, announcer)
        files = {**pictures(evidence), "evidence.json": msgspec.json.format(msgspec.json.encode(evidence))}
        self._registry.submit(partial(add_evidence, run=run, files=files, metrics=evidence.metrics)).result()
        log.info("pictures are in the registry", decision_id=decision.decision_id, run=run,
                 seconds=round(time.perf_counter() - began, 3))

    def _examine(self, accepted: Accepted, dataset: Dataset, at: int, reader: LogReader,
                 announcer: Announcer) -> Evidence:
        first = max(dataset.first, dataset.last + 1 - ROWS)
        history = History(self._pipeline)
        for record in reader.read(topic_name(self._pipeline.name, LABELLED), first, at):
            event = decode(record.value, LabelledEvent) if record.value is not None else None
            if event is not None and history.fits(event):
                history.append(record.offset, event)
        announcement = accepted.announcement
        profile = ReferenceProfile.decode(announcer.load(announcement.profile))
        return examine(announcer.load(announcement.model), profile, history.dataset(first, dataset.last).rows,
                       history.fresh(dataset.last + 1, at - 1), self._pipeline.retraining.seed)
