"""A thousand alerts for one change: one incident, one training at a time, and none that no decision names.

A session with a real history is driven by hand. The alerts come in three ways: all at once when the change is found,
spread over the rows that follow while the incident is open, and late, when it has settled, from windows of before.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.progress import Progress

from bench.policies import must, segments
from bench.policies.must import Must
from bench.result import Result, Table
from producers.labelled import labelled_rows
from schemas.messages import DriftAlert, LabelledEvent, Model, Recipe, TrainingDecision
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert, fit
from trainer.effects import Announced, Answer, Checkpoint, Fitted, Took
from trainer.first_model import choose, first_state
from trainer.history import History, TrainingRows
from trainer.session import Session, Steps

PART = "storm"
ALERTS, AT_ONCE, LATE = 1_000, 500, 100
FIRST, CHANGE, SETTLED, END = 1_000, 1_200, 2_100, 2_400  # rows; one a second
WINDOW = 200  # rows


@dataclass(kw_only=True)
class Storm:
    """What was seen: incidents that began, rounds that were decided, candidates that decisions name and fits, both by
    family and digest of their rows, the most fits that went on at the same time, and decisions in order."""

    alerts: int = 0
    incidents: set[str] = field(default_factory=set)
    rounds: int = 0
    named: list[tuple[str, str]] = field(default_factory=list)
    fitted: list[tuple[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    decisions: list[TrainingDecision] = field(default_factory=list)

    @property
    def unnamed(self) -> list[tuple[str, str]]:
        """Fits that no decision named before."""
        return list((Counter(self.fitted) - Counter(self.named)).elements())


class Trainer:
    """Answers a session as Kafka and the registry would, and watches it."""

    def __init__(self, pipeline: Pipeline, first: Sequence[LabelledEvent]) -> None:
        self.seen = Storm()
        self._fitting = 0
        self._epoch = 0
        history = History(pipeline)
        for offset, event in enumerate(first):
            history.append(offset, event)
        data = history.dataset(0, len(first) - 1)
        chosen = choose(pipeline, data)
        state = first_state(pipeline, data, chosen, 0)
        expert = fit(pipeline, chosen.recipe, data)
        key = chosen.decision_id, chosen.recipe.family, chosen.recipe.window
        self.session = Session(pipeline, state, history, {key: expert}, self._fit)

    def alert(self, alert: DriftAlert) -> None:
        """An alert arrives."""
        self._drive(self.session.alert(self.seen.alerts, alert))
        self.seen.alerts += 1

    def rows(self, first: int, events: Sequence[LabelledEvent]) -> None:
        """Labelled rows from offset `first` on arrive."""
        self._drive(self.session.rows(list(enumerate(events, first)), first + len(events)))

    def _drive(self, steps: Steps) -> None:
        answer: Answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                break
            answer = None
            if isinstance(effect, TrainingDecision):
                self._hear(effect)
            elif isinstance(effect, Fitted):
                answer = Took(seconds=0.0)
            elif not isinstance(effect, Checkpoint):
                self._epoch += 1
                answer = Announced(epoch=self._epoch, version=str(self._epoch), run="run")
        incident = self.session.snapshot().incident
        if incident is not None:
            self.seen.incidents.add(incident.incident_id)

    def _hear(self, decision: TrainingDecision) -> None:
        self.seen.decisions.append(decision)
        if decision.incident_id is not None:
            self.seen.incidents.add(decision.incident_id)
        if decision.verdict == "trained":
            self.seen.rounds += 1
            self.seen.named += [(c.recipe.family, c.recipe.dataset.digest) for c in decision.candidates]

    def _fit(self, pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
        self._fitting += 1
        self.seen.most_at_once = max(self.seen.most_at_once, self._fitting)
        self.seen.fitted.append((recipe.family, data.dataset.digest))
        try:
            return fit(pipeline, recipe, data)
        finally:
            self._fitting -= 1


def storm(pipeline: Pipeline, alerts: Sequence[tuple[int, int]]) -> Storm:
    """The rule turns at row 1,200. `alerts`: the row before which each arrives, and that at which its window ended."""
    rng = np.random.default_rng(0)
    rows = segments.rows_of(pipeline, segments.draw(rng, CHANGE), segments.draw(rng, END - CHANGE, "turned"))
    events = list(labelled_rows(iter(rows), pipeline, "storm", lambda _row, _problem: None))
    trainer = Trainer(pipeline, events[:FIRST])
    reached = FIRST
    for number, (row, window_end) in enumerate(alerts):
        if row > reached:
            trainer.rows(reached, events[reached:row])
            reached = row
        trainer.alert(_alert(number, events[CHANGE].ts, events[window_end - WINDOW].ts, events[window_end].ts, reached))
    trainer.rows(reached, events[reached:])
    return trainer.seen


def thousand() -> list[tuple[int, int]]:
    """Half of them at once, most of the others while the incident is open, the last when it has settled: those are
    about windows of before, and come late."""
    found = CHANGE + WINDOW
    meanwhile = ALERTS - AT_ONCE - LATE
    return [*((found, found) for _ in range(AT_ONCE)), *((found + k, found + k) for k in range(1, meanwhile + 1)),
            *((END - 1, found + k * (SETTLED - found) // LATE) for k in range(LATE))]


def measure(pool: Executor, bar: Progress, *, quick: bool) -> Result:  # noqa: ARG001 - one storm, in seconds
    """The storm, once: nothing in it is left to chance."""
    machine = must.machine()
    seen = storm(segments.pipeline(retraining={"refresh_labels": 0}), thousand())
    return must.result(PART, "A storm of alerts", musts(seen), [table(seen)], raw(seen), machine)


def musts(seen: Storm) -> list[Must]:
    """One incident; never two trainings at a time; no training that the policy does not name."""
    return [
        Must(what=f"incidents of {seen.alerts:,} alerts for one change", limit="1", found=str(len(seen.incidents)),
             met=len(seen.incidents) == 1),
        Must(what="trainings at a time", limit="1", found=str(seen.most_at_once), met=seen.most_at_once == 1),
        Must(what="fits that no decision names", limit="0", found=str(len(seen.unnamed)), met=not seen.unnamed),
    ]


def table(seen: Storm) -> Table:
    """One row."""
    return Table(title=f"{seen.alerts:,} alerts for one change",
                 columns=("alerts", "incidents", "rounds of training", "fits", "named by decisions", "decisions"),
                 rows=[(seen.alerts, len(seen.incidents), seen.rounds, len(seen.fitted), len(seen.named),
                        len(seen.decisions))],
                 note=f"{AT_ONCE} at once, {ALERTS - AT_ONCE - LATE} while the incident is open, {LATE} after it "
                      "settled, about windows of before. Refreshes are off: every training is an incident's.")


def raw(seen: Storm) -> dict[str, Any]:
    """What was seen, and each verdict with how often it was given."""
    verdicts = Counter(decision.verdict for decision in seen.decisions)
    return {"alerts": seen.alerts, "incidents": len(seen.incidents), "rounds": seen.rounds, "fits": len(seen.fitted),
            "named": len(seen.named), "most_at_once": seen.most_at_once, "verdicts": dict(verdicts)}


def _alert(number: int, onset: int, window_start: int, window_end: int, labelled: int) -> DriftAlert:
    return DriftAlert(
        alert_id=f"a{number}", kind="concept", window_start=window_start, window_end=window_end, scale=1, onset=onset,
        features=["x0"], sentence="the rule turned", budget="", profile="", labelled_offset=labelled,
        model=Model(version="1", digest="", epoch=0))
