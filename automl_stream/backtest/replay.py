"""Rows through the whole loop, block by block, as the demo's lockstep runs it; without Kafka, in one process.

Nothing is decided here. Per block: score with the model in charge, count and judge windows, then learn: first the
alerts, then the block's labels in the order of their events; what is promoted serves from the next block on. Ids depend
only on the pipeline's name, the rows and their order, so alerts and decisions are the ones that the demo gives.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from msgspec import Struct

from automl_stream.backtest.detectors import measured
from automl_stream.backtest.result import Cost, Decision, Result
from automl_stream.backtest.truth import Truth, delays, false_alarms
from automl_stream.backtest.watch import RowTimes, Watch
from automl_stream.backtest.world import Clock, OnSwap, World
from automl_stream.demo.quality import Answers, judge
from automl_stream.wrong_use import WrongUse
from producers.due_labels import DueLabel, DueLabels, label_problem
from producers.labelled import labelled_rows
from producers.replay import lockstep_rows
from producers.rows import Row, RowShape
from schemas.codec import WATERMARK_HEADER, EventCodec, canonical_label, decode, encode
from schemas.messages import Command, DriftAlert, LabelledEvent, LabelValue, Prediction, Watermark
from schemas.pipeline import Pipeline
from stream_apps.model_slot import LoadedModel, Slots
from stream_apps.scoring import Scorer
from trainer.errors import UnusableRows
from trainer.guards import Golden
from trainer.history import History
from trainer.session import Session

Progress = Callable[[int], None]


class Plan(Struct, frozen=True, kw_only=True):
    """What is asked for. `rows_trained`: rows that make the first model; a label comes `label_delay_rows` rows after
    its event. `start`: event time before the first row, epoch ms; None: that of a file's replay. `golden`: the trusted
    rows of the pipeline, where it names some. `commands`: operators', in the order of their `labelled_offset`; each
    applies before the first block of labels that begins there or later."""

    rows_trained: int
    policy: str = "default"
    label_delay_rows: int = 0
    truth: Truth | None = None
    start: int | None = None
    golden: Golden | None = None
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Record:
    """A row as `events` would hold it; its offset is its number in the file."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass(kw_only=True)
class _Answered:
    """Labelled rows that both answered: the label, what the loop had answered, what the first model would have."""

    labels: list[LabelValue] = field(default_factory=list)
    live: list[LabelValue] = field(default_factory=list)
    frozen: list[LabelValue] = field(default_factory=list)


def backtest(rows: Iterable[Row], pipeline: Pipeline, plan: Plan, on_progress: Progress,
             clock: Clock = time.perf_counter, on_swap: OnSwap = lambda _swap, _onnx: None) -> Result:
    """What the pipeline would have done with these rows; `on_progress` hears how many are done, `clock` gives seconds,
    `on_swap` hears of each model with its ONNX file.

    Raises:
        WrongUse: where the rows leave nothing to train on or nothing to replay.
        UnusableRows, ParityError: as `World.open`.
    """
    began = clock()
    source = iter(rows)
    run = _Run(pipeline, plan, World(pipeline, clock, plan.golden, on_swap))
    run.train(islice(source, plan.rows_trained))
    waiting = DueLabels(plan.label_delay_rows, pipeline.task)
    block_rows = lockstep_rows(pipeline.retraining)
    while block := list(islice(source, block_rows)):
        due = [label for row in block for label in waiting.after(row, run.read(row))]
        run.learn(run.score(block), due)
        on_progress(len(run.times))
    if len(run.times) <= plan.rows_trained:
        raise WrongUse(f"{len(run.times)} rows leave nothing to replay after the {plan.rows_trained} that train the "
                       "first model; train on fewer, or give more rows")
    rest = waiting.rest(run.now, pipeline.replay.spacing if pipeline.replay else 0)
    while due := list(islice(rest, block_rows)):
        run.learn([], due)
    run.learn(run.score([], ends=True), [])
    return run.result(clock() - began)


class _Run:
    """State of one backtest. `times`: of all rows read; `now`: newest event time replayed."""

    def __init__(self, pipeline: Pipeline, plan: Plan, world: World) -> None:
        self.times = RowTimes()
        self.now = RowShape(pipeline).start if plan.start is None else plan.start
        self._pipeline = pipeline
        self._plan = plan
        self._world = world
        self._watch = Watch(pipeline, self._world.references, self.times, plan.rows_trained)
        self._codec = EventCodec(pipeline)
        self._scorer = Scorer(pipeline, "backtest")
        self._answered = _Answered()
        self._waiting: dict[int, tuple[Prediction, LabelValue | None]] = {}  # by row: answered live, and frozen
        self._labelled = 0  # end of the training log
        self._alerts = 0
        self._commands = deque(plan.commands)
        self._obeyed = 0
        self._scored = 0
        self._dead = 0

    def train(self, rows: Iterable[Row]) -> None:
        """The first rows make the first model."""
        history = History(self._pipeline)
        for event in labelled_rows(map(self._timed, rows), self._pipeline, "backtest", lambda _row, _problem: None):
            if not history.fits(event):
                raise UnusableRows(f"row {event.event_id}: the label {event.label!r} is a third class, and pipeline "
                                   f"'{self._pipeline.name}' is binary; change key 'pipeline.task' to multiclass, or "
                                   "the label")
            history.append(self._labelled, event)
            self._labelled += 1
        self._world.row = len(self.times)
        self._session: Session = self._world.open(history, self._labelled)
        self._first: LoadedModel = self._world.serving()

    def read(self, row: Row) -> int:
        """A row comes; returns the event time that is reached."""
        self._timed(row)
        if row.fits and isinstance(row.ts, int):
            self.now = max(self.now, row.ts)
        return self.now

    def score(self, block: Sequence[Row], *, ends: bool = False) -> list[DriftAlert]:
        """Answer a block with the model in charge, count it; the alerts of the windows that it closes."""
        mark = _Record(offset=len(self.times) - 1, timestamp=self.now, key=None, headers=[WATERMARK_HEADER],
                       value=encode(Watermark(ts=self.now, ends=ends)))
        records = [*map(self._record, block), mark]
        slots = self._world.slots()
        chunk = self._scorer.run(records, 0, slots, now=0)
        live = [decode(value, Prediction) for _, value in chunk.predictions]
        frozen = self._frozen(records, live)
        awaited = {row.number for row in block if not label_problem(row, self._pipeline.task)}
        for prediction in live:
            row = int(prediction.source.rpartition("-")[2])
            if row in awaited:
                self._waiting[row] = prediction, frozen.get(prediction.source)
        self._scored += len(live)
        self._dead += len(chunk.dead_letters)
        return self._watch.count(chunk.rows, slots, self._labelled)

    def learn(self, alerts: Sequence[DriftAlert], due: Sequence[DueLabel]) -> None:
        """The trainer hears the alerts, then the labels that have come."""
        self._world.row = len(self.times)
        for alert in alerts:
            self._world.drive(self._session.alert(self._alerts, alert))
            self._alerts += 1
        self._obey()
        events = [self._join(label) for label in due if label.joinable and label.row in self._waiting]
        events.sort(key=lambda event: event.ts)
        self._watch.learn(events, self._labelled, self._world.profile_epoch)
        first, self._labelled = self._labelled, self._labelled + len(events)
        self._world.drive(self._session.rows(list(enumerate(events, first)), self._labelled))

    def _obey(self) -> None:
        """Operators' commands that apply before the next row of the training log."""
        while self._commands and self._commands[0].labelled_offset <= self._labelled:
            self._world.drive(self._session.command(self._obeyed, self._commands.popleft()))
            self._obeyed += 1

    def result(self, seconds: float) -> Result:
        """All that came of it."""
        world, watch, truth = self._world, self._watch, self._plan.truth
        answered, task = self._answered, self._pipeline.task
        live, frozen = (judge(task, answered.labels, Answers(labels=labels, probabilities=None), ())
                        for labels in (answered.live, answered.frozen))
        scored = range(self._plan.rows_trained, len(self.times))
        return Result(
            policy=self._plan.policy, pipeline=self._pipeline.name, rows=len(self.times),
            rows_trained=self._plan.rows_trained, dead_letters=self._dead, windows=watch.windows, alerts=watch.alerts,
            decisions=[Decision(row=row, verdict=d.verdict, trigger=d.trigger, reason=d.reason,
                                decision_id=d.decision_id) for row, d in world.decisions],
            swaps=world.swaps, retrainings=sum(d.verdict == "trained" for _, d in world.decisions),
            promotions=len(world.swaps) - 1 - world.rollbacks, rollbacks=world.rollbacks,
            accuracy=live.accuracy, accuracy_frozen=frozen.accuracy, mae=live.mae, mae_frozen=frozen.mae,
            training_seconds=world.training_seconds,
            cost=Cost(fits=world.fits, fit_seconds=world.fit_seconds, rows_scored=self._scored, seconds=seconds),
            false_alarms=false_alarms(truth, watch.alerts, watch.windows) if truth else None,
            delay_rows=delays(truth, watch.alerts, watch.windows, scored) if truth else None, firings=watch.firings,
            detectors=measured(self._pipeline, watch.watched, watch.firings, truth),
        )

    def _timed(self, row: Row) -> Row:
        self.times.add(row.ts if row.fits and isinstance(row.ts, int) else None)
        return row

    def _record(self, row: Row) -> _Record:
        return _Record(offset=row.number, timestamp=row.ts if row.fits and isinstance(row.ts, int) else self.now,
                       key=row.key, value=self._codec.encode(row.event_id, row.ts, row.entity, row.features))

    def _frozen(self, records: Sequence[_Record], live: Sequence[Prediction]) -> dict[str, LabelValue]:
        """What the first model answers, by source."""
        slots = self._world.slots()
        if slots.champion is not self._first or slots.canary is not None:
            chunk = self._scorer.run(records, 0, Slots(epoch=0, champion=self._first), now=0)
            live = [decode(value, Prediction) for _, value in chunk.predictions]
        return {prediction.source: prediction.prediction for prediction in live}

    def _join(self, due: DueLabel) -> LabelledEvent:
        """The row with its label, as the label service writes it."""
        prediction, frozen = self._waiting.pop(due.row)
        label = canonical_label(self._pipeline.task, due.label.label)
        if frozen is not None:
            self._answered.labels.append(label)
            self._answered.live.append(prediction.prediction)
            self._answered.frozen.append(frozen)
        return LabelledEvent(
            event_id=prediction.event_id, entity=prediction.entity, ts=prediction.ts, source=prediction.source,
            pipeline_digest=prediction.pipeline_digest, features=prediction.features, label=label,
            revision=due.label.revision, labelled_ts=due.label.ts, model=prediction.model,
            prediction=prediction.prediction, score=prediction.score, probabilities=prediction.probabilities,
            labeller=due.label.labeller)
