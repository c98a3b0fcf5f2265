"""The trainer as a state machine over alerts, commands and labelled rows: no I/O, no clock.

`alert`, `command` and `rows` are generators: they yield what shall happen in the world, in order, and are sent the
answer. The same state and the same log give the same effects, however the rows are cut into batches. Follow an alert
through `incidents.py` (it opens an incident), `rounds.py` (candidates are fitted), `verdicts.py` (the gate's word) and
`serving.py` (who serves); `operators.py` does the same for a command.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from schemas.codec import canonical_label
from schemas.messages import Command, DriftAlert, LabelledEvent, TrainerState
from schemas.pipeline import Pipeline
from trainer.breaker import follow
from trainer.candidates import FittedExpert, fit
from trainer.effects import Checkpoint, Steps
from trainer.gate import retention
from trainer.guards import Golden
from trainer.history import History
from trainer.incidents import take_alert
from trainer.operators import obey
from trainer.pool import Key
from trainer.rounds import train_if_due
from trainer.standing import Fit, Standing, Tune
from trainer.tuning import Tuner
from trainer.verdicts import judge_row


class Session:
    """Everything the trainer knows. `experts`: the fitted model of the champion and of every contender, by its key."""

    def __init__(self, pipeline: Pipeline, state: TrainerState, history: History,
                 experts: dict[Key, FittedExpert], fitting: Fit = fit, golden: Golden | None = None,
                 tuning: Tune | None = None) -> None:
        self._standing = Standing(pipeline, state, history, experts, fitting, golden, tuning or Tuner())

    def snapshot(self) -> TrainerState:
        """The state after everything up to now."""
        return self._standing.snapshot()

    def alert(self, offset: int, alert: DriftAlert) -> Steps:
        """Take the alert at `offset` of drift-alerts in; it applies before the next row. One that a restarted monitor
        said again counts once."""
        standing = self._standing
        again = alert.alert_id == standing.state.last_alert
        standing.change(covered_alerts=offset + 1)
        if not again:
            yield from take_alert(standing, alert)
            yield from train_if_due(standing)
        yield Checkpoint(state=self.snapshot())

    def command(self, offset: int, command: Command) -> Steps:
        """Take the command at `offset` of commands in; it applies before the next row."""
        standing = self._standing
        standing.change(covered_commands=offset + 1)
        yield from obey(standing, command)
        standing.prune()
        yield Checkpoint(state=self.snapshot())

    def configuration(self, offset: int, pipeline: Pipeline) -> Steps:
        """Go on with the version of the definition at `offset` of config; it applies before the next row."""
        standing = self._standing
        standing.pipeline = pipeline
        standing.change(covered_config=offset + 1)
        standing.prune()
        yield Checkpoint(state=self.snapshot())

    def rows(self, records: Sequence[tuple[int, LabelledEvent]], end: int) -> Steps:
        """Take rows of `labelled` in, each with its offset; afterwards everything before offset `end` is covered."""
        standing = self._standing
        fitting = [(offset, event) for offset, event in records if standing.history.fits(event)]
        standing.pool.face(standing.history.rows_of([event for _, event in fitting]))
        for index, (offset, event) in enumerate(fitting):
            fresh = standing.history.append(offset, event)
            standing.change(covered=offset + 1)
            if fresh:
                self._count(index, event)
                judged = yield from judge_row(standing)
                trained = yield from train_if_due(standing)
                if judged or trained:  # of one row together: who comes again begins behind it
                    yield Checkpoint(state=self.snapshot())
        standing.change(covered=end)

    def _count(self, index: int, event: LabelledEvent) -> None:
        """One fresh row: everyone is scored on it before anyone is fitted on it."""
        standing, state = self._standing, self._standing.state
        incident = state.incident
        if incident is not None and event.ts >= incident.onset:
            incident = replace(incident, labels=incident.labels + 1)
        task = standing.pipeline.task
        baseline = follow(state.baseline, task, canonical_label(task, event.label), state.loss_scale,
                          retention(standing.pipeline.retraining.half_life))
        standing.change(labels=state.labels + 1, event_time=max(state.event_time, event.ts), incident=incident,
                        baseline=baseline)
        standing.pool.score(index, state.loss_scale)
