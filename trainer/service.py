"""The trainer's loop: rows, alerts and commands from Kafka into the session, its effects out, then the commit."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from msgspec.structs import replace

from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.configuration import ConfigurationLog, Version, taken_live
from schemas.messages import Command, DriftAlert, LabelledEvent, Recipe, TrainerState, TrainingDecision
from schemas.pipeline import Pipeline
from schemas.topics import COMMANDS, CONFIG, DRIFT_ALERTS, LABELLED, TRAINING_DECISIONS, Topic, topic_name
from trainer.announce import Announcer
from trainer.candidates import FittedExpert, fit
from trainer.clerk import KEPT, Clerk
from trainer.effects import (
    Announced,
    Answer,
    Checkpoint,
    Effect,
    Fitted,
    Promote,
    Recall,
    Refused,
    RenewProfile,
    Steps,
    Took,
    Withdraw,
    recalled,
)
from trainer.environment import environment
from trainer.errors import DefinitionChanged, LostLeadership, LostSlot, ParityError
from trainer.guards import Golden
from trainer.history import TrainingRows
from trainer.kafka_log import LogReader, LogWriter
from trainer.leadership import Leadership
from trainer.metrics import TrainerMetrics
from trainer.onnx_export import read_metadata
from trainer.promotion import Promoter, Promotion
from trainer.recipes import Plan
from trainer.reference import reference_profile
from trainer.registry import Registry
from trainer.resume import resume
from trainer.session import Session
from trainer.settings import RegistrySettings
from trainer.standing import Tune
from trainer.state_log import StateLog
from trainer.tuning import Tuner
from trainer.watch import Watch

log = structlog.get_logger()

FirstT = TypeVar("FirstT", DriftAlert, Command)
ThenT = TypeVar("ThenT", bound="Command | Version")

BATCH = 1_000
_TICK_S = 0.1


class Trainer:
    """One pipeline's trainer, on the thread that calls `run`; `golden`: the trusted rows, where there are some;
    `stated`: the definition before the first version on `config`, where it is not `pipeline`."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, leadership: Leadership, registry: RegistrySettings,
                 clock: Callable[[], int], golden: Golden | None = None, stated: Pipeline | None = None) -> None:
        self._pipeline = pipeline
        self._stated = stated or pipeline
        self._versions, self._seen_config = ConfigurationLog(name=pipeline.name), 0
        self._golden = golden
        self._leadership = leadership
        self._kafka = kafka
        self._reader, self._writer = LogReader(kafka), LogWriter(kafka)
        self._states = StateLog(pipeline, self._reader, self._writer)
        self._announcer = Announcer(pipeline, self._reader, self._writer, clock)
        self._registry = Registry(registry, leadership.stay)
        self._promoter = Promoter(pipeline, self._announcer, self._registry)
        self.metrics = TrainerMetrics()
        self.metrics.mlflow.set_function(lambda: self._registry.answers)
        self._clerk = Clerk(pipeline, kafka, self._writer, self._registry, self.metrics)
        self._decisions: list[TrainingDecision] = []
        self._said: set[tuple[str, str]] = set()
        self._fit_seconds = 0.0  # of the present round
        self.covered: int | None = None

    def run(self) -> None:
        """Lead, resume, and follow the log for ever.

        Raises:
            TrainerError: when the process must end and start again, or cannot go on.
        """
        while not self._leadership.wait(_TICK_S):
            pass
        state = self._wait_for_state()
        self._require_same_features()
        session = self._resume(state)
        self._promoter.warm_up()
        Watch(self._kafka, self._pipeline.name, self._registry, self.metrics, lambda: self.covered or 0)
        while True:
            if not self._advance(session):
                self._clerk.idle(lambda: {a.announcement.decision_id for a in self._announcer.models().announced()})
                self._leadership.wait(_TICK_S)

    def _wait_for_state(self) -> TrainerState:
        told = False
        while True:
            state = self._states.read()
            if state is not None:
                return state
            if not told:
                log.info("no model yet: waiting for `automl-stream bootstrap`")
                told = True
            self._leadership.wait(1.0)

    def _require_same_features(self) -> None:
        """The log holds vectors in the order of the definition they were scored with: never train them as another."""
        current = self._announcer.models().current
        if current is None:
            return
        served = read_metadata(self._announcer.load(current.announcement.model)).features
        wanted = [(feature.name, feature.type) for feature in self._pipeline.features]
        if [(feature.name, feature.type) for feature in served] != wanted:
            raise DefinitionChanged(
                f"the features of pipeline '{self._pipeline.name}' are not those of version "
                f"{current.announcement.version}, which serves; give the changed definition another pipeline.name and "
                "bootstrap it")

    def _resume(self, state: TrainerState) -> Session:
        began = time.perf_counter()
        self._recall_versions(state)
        decisions = [decode(record.value, TrainingDecision)
                     for record in self._reader.read(self._topic(TRAINING_DECISIONS)) if record.value is not None]
        for decision in decisions:
            self._note(decision)
        tuner = Tuner(time.perf_counter, [decision for decision in decisions if decision.at >= state.covered])
        labelled = self._reader.read(self._topic(LABELLED), 0, state.covered)
        rows = ((r.offset, decode(r.value, LabelledEvent)) for r in labelled if r.value is not None)
        session = resume(self._pipeline, state, rows, self._timed_fit, self._golden, _timed(tuner, self.metrics))
        for decision in [decision for decision in decisions if decision.run is not None][-KEPT:]:
            self._clerk.later(decision)
        self.covered = state.covered
        self.metrics.resume(state)
        log.info("resumed", covered=state.covered, covered_alerts=state.covered_alerts, epoch=state.champion_epoch,
                 experts=1 + len(state.experts), seconds=round(time.perf_counter() - began, 3))
        return session

    def _advance(self, session: Session) -> bool:
        """Take in what the log holds, at most one batch; False where there was nothing.

        The end of the rows is taken before alerts and commands are read: one that was written before a row is seen
        before it. Of an alert and a command that apply before the same row the alert goes first.
        """
        state = session.snapshot()
        _, end = self._reader.bounds(self._topic(LABELLED))
        alerts = [(r.offset, decode(r.value, DriftAlert))
                  for r in self._reader.read(self._topic(DRIFT_ALERTS), state.covered_alerts) if r.value is not None]
        commands = [(r.offset, decode(r.value, Command))
                    for r in self._reader.read(self._topic(COMMANDS), state.covered_commands) if r.value is not None]
        versions = [(version.offset, version) for version in self._new_versions()]
        if end <= state.covered and not alerts and not commands and not versions:
            return False
        for offset, word in in_order(alerts, in_order(commands, versions)):
            _, now = self._reader.bounds(self._topic(LABELLED))
            self._take_rows(session, state.covered, min(word.labelled_offset, now))
            if isinstance(word, DriftAlert):
                self.metrics.alerts.inc()
                self._drive(session.alert(offset, word))
            elif isinstance(word, Command):
                self._drive(session.command(offset, word))
            else:
                self._obey(session, word)
            state = session.snapshot()
        self._take_rows(session, state.covered, min(end, state.covered + BATCH))
        self._save(session.snapshot())
        return True

    def _new_versions(self) -> list[Version]:
        """Versions of the definition that were published since the last look."""
        found: list[Version | None] = []
        for record in self._reader.read(self._topic(CONFIG), self._seen_config):
            found.append(self._versions.read(record.offset, record.value))
            self._seen_config = record.offset + 1
        return [version for version in found if version is not None]

    def _recall_versions(self, state: TrainerState) -> None:
        """What had been taken: the newest version, but of what changes at once the newest one that had its row."""
        for record in self._reader.read(self._topic(CONFIG), 0, state.covered_config):
            self._versions.read(record.offset, record.value)
        self._seen_config = state.covered_config
        taken = self._versions.current
        self._pipeline = taken_live(self._pipeline, self._stated if taken is None else taken.pipeline, "trainer")

    def _obey(self, session: Session, version: Version) -> None:
        self._pipeline = taken_live(self._pipeline, version.pipeline, "trainer")
        self._drive(session.configuration(version.offset, self._pipeline))
        log.info("the trainer goes on with a version of the definition", version=version.offset)

    def _take_rows(self, session: Session, first: int, end: int) -> None:
        for begin in range(first, end, BATCH):
            border = min(begin + BATCH, end)
            records = [(r.offset, decode(r.value, LabelledEvent))
                       for r in self._reader.read(self._topic(LABELLED), begin, border) if r.value is not None]
            self._drive(session.rows(records, border))
            self.metrics.rows.inc(len(records))

    def _drive(self, steps: Steps) -> None:
        answer: Answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                return
            answer = self._execute(effect)

    def _execute(self, effect: Effect) -> Answer:
        match effect:
            case TrainingDecision():
                if effect.verdict == "trained":
                    self._fit_seconds = 0.0  # what was fitted before, at a start or for a command, is no round's
                self._say(effect)
            case Checkpoint():
                self._save(effect.state)
            case Fitted():
                return self._took()
            case Promote():
                return self._promote(effect)
            case Recall():
                return recalled(self._decisions, effect.named)
            case Withdraw():
                return self._withdraw(effect)
            case RenewProfile():
                return self._renew(effect)
        return None

    def _took(self) -> Took:
        seconds, self._fit_seconds = self._fit_seconds, 0.0
        return Took(seconds=seconds)

    def _timed_fit(self, pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
        began = time.perf_counter()
        expert = fit(pipeline, recipe, data)
        seconds = time.perf_counter() - began
        self._fit_seconds += seconds
        self.metrics.fit_seconds.labels(recipe.family).observe(seconds)
        log.info("fitted", family=recipe.family, rows=data.dataset.rows, seconds=round(seconds, 3))
        return expert

    def _withdraw(self, effect: Withdraw) -> Announced | Refused:
        try:
            ended = self._promoter.withdraw(effect.replaces, effect.reason, effect.decision_id)
        except LostSlot as error:
            return self._overtaken(effect.decision_id, error)
        return Announced(epoch=ended.epoch, version=ended.announcement.version)

    def _renew(self, effect: RenewProfile) -> Announced:
        profile = reference_profile(self._pipeline, effect.rows).encode()
        try:
            accepted = self._promoter.renew_profile(profile, effect.answered, effect.replaces, effect.decision_id)
        except LostSlot as error:
            epoch = self._overtaken(effect.decision_id, error).epoch
            assert epoch is not None  # noqa: S101 - there is a champion
            accepted = self._promoter.renew_profile(profile, effect.answered, epoch, effect.decision_id)
        return Announced(epoch=accepted.epoch, version=accepted.announcement.version)

    def _promote(self, effect: Promote) -> Answer:
        serving = self._announcer.models().current
        assert serving is not None  # noqa: S101 - bootstrap announced one
        promotion = Promotion(
            decision_id=effect.decision_id, reason=effect.reason, expert=effect.expert, recipe=effect.recipe,
            validation=effect.validation, metrics=effect.metrics, replaces=effect.replaces,
            profile=serving.announcement.profile, answered=effect.answered, registered=effect.registered,
            share=effect.share,
        )
        try:
            promoted = self._promoter.promote(promotion)
        except ParityError as error:
            log.error("candidate refused", decision_id=effect.decision_id, reason=str(error))
            return Refused(reason=str(error))
        except LostSlot as error:
            return self._overtaken(effect.decision_id, error)
        return Announced(epoch=promoted.accepted.epoch, version=promoted.version, run=promoted.run)

    def _overtaken(self, decision_id: str, error: LostSlot) -> Refused:
        """The champion that took the slot, where no trainer of this group announced it: what we gated is void,
        and the next promotion replaces that one.

        Raises:
            LostLeadership: when another trainer leads and did this one's work.
        """
        self._leadership.stay(0.0)
        self._states.require_sole()
        if self._announcer.announced(decision_id) is not None:
            raise LostLeadership(f"another trainer announced decision {decision_id}") from error
        self._clerk.sweep()
        log.error("an announcement that is not this trainer's took the slot; the next promotion replaces it",
                  decision_id=decision_id, reason=str(error))
        models = self._announcer.models()
        return Refused(reason=str(error), epoch=models.epoch, latest=models.latest)

    def _say(self, decision: TrainingDecision) -> None:
        """Write a decision, once."""
        if (decision.decision_id, decision.verdict) in self._said:
            return
        if decision.version is not None:
            decision = replace(decision, environment=environment(self._pipeline))
        self._writer.write(self._topic(TRAINING_DECISIONS), decision.decision_id, encode(decision))
        self._note(decision)
        self.metrics.decisions.labels(decision.verdict).inc()
        log.info("decision", decision_id=decision.decision_id, verdict=decision.verdict, reason=decision.reason,
                 trigger=decision.trigger, incident_id=decision.incident_id, at=decision.at)
        if decision.run is not None:
            self._clerk.later(decision)

    def _note(self, decision: TrainingDecision) -> None:
        self._said.add((decision.decision_id, decision.verdict))
        if decision.recipe is not None:
            self._decisions.append(decision)

    def _save(self, state: TrainerState) -> None:
        self._leadership.stay(0.0)
        self._states.write(state)
        self._leadership.commit(state.covered, state.covered_alerts, state.covered_commands)
        self.covered = state.covered
        self.metrics.show(state)

    def _topic(self, topic: Topic) -> str:
        return topic_name(self._pipeline.name, topic)


def in_order(first: Sequence[tuple[int, FirstT]],
             then: Sequence[tuple[int, ThenT]]) -> list[tuple[int, FirstT | ThenT]]:
    """Both in the order of the rows before which they apply; within each topic its own order holds."""
    merged: list[tuple[int, FirstT | ThenT]] = []
    waiting = deque(then)
    for offset, word in first:
        while waiting and waiting[0][1].labelled_offset < word.labelled_offset:
            merged.append(waiting.popleft())
        merged.append((offset, word))
    return [*merged, *waiting]


def _timed(tuner: Tuner, metrics: TrainerMetrics) -> Tune:
    def tune(pipeline: Pipeline, decision_id: str, plans: Sequence[Plan]) -> list[Plan]:
        with metrics.tuning_seconds.time():
            return tuner(pipeline, decision_id, plans)

    return tune
