"""Version 1, without the I/O: which family, and the state that the trainer starts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drift.losses import answer_loss
from drift.predictions import said
from schemas.messages import Candidate, Expert, GateVerdict, Recipe, TrainerState, TrainingDecision, derived_id
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert, fit
from trainer.errors import UnusableRows
from trainer.history import Rows, TrainingRows
from trainer.reference import reference_of_answers

HOLDOUT = 0.2
A_TRIAL_SAID_IT = ("the reference is what a trial fitted on fewer rows said, and too far from what this model says: "
                   "the next model is measured by its own answers")


@dataclass(frozen=True, kw_only=True)
class FirstModel:
    """The family that answered best on rows that its trial was not fitted on, and its recipe on all rows.

    `holdout`: mean log loss by family, or mean absolute error in the label's unit; `loss_scale` divides absolute
    errors. Of the chosen family's trial on the rows held out: `losses` in the order of time, as `drift.losses` has
    them, and `predictions`, the reference of what it said.
    """

    decision_id: str
    recipe: Recipe
    candidates: list[Candidate]
    holdout: dict[str, float]
    loss_scale: float
    losses: NDArray[np.float64]
    predictions: bytes | None

    @property
    def chosen(self) -> Candidate:
        """The candidate of the chosen family."""
        return next(c for c in self.candidates if c.recipe.family == self.recipe.family)


def choose(pipeline: Pipeline, data: TrainingRows) -> FirstModel:
    """Fit every family on the first four fifths of the rows, judge it on the last: time goes only forward.

    Raises:
        UnusableRows: when no family can be fitted.
    """
    rows, border = data.rows, round(len(data.rows) * (1 - HOLDOUT))
    trial = TrainingRows(dataset=data.dataset, rows=rows.part(0, border), classes=data.classes)
    held_out = rows.part(border, len(rows))
    holdout: dict[str, float] = {}
    trials: dict[str, FittedExpert] = {}
    problems: list[str] = []
    for family in pipeline.retraining.families:
        try:
            trials[family] = fit(pipeline, family, trial)
            holdout[family] = _loss(trials[family], held_out)
        except UnusableRows as error:
            problems.append(f"{family}: {error}")
    if not holdout:
        raise UnusableRows(f"no family can be trained on the first {border} rows ({'; '.join(problems)})")
    best = min(holdout, key=lambda family: holdout[family])
    scale = (holdout[best] or 1.0) if pipeline.task == "regression" else 1.0
    recipes = {family: Recipe(family=family, window="all", dataset=data.dataset, seed=pipeline.retraining.seed)
               for family in holdout}
    metadata, outputs = trials[best].metadata, trials[best].predict(held_out)
    return FirstModel(
        decision_id=derived_id(pipeline.name, "bootstrap", data.dataset.digest), recipe=recipes[best],
        candidates=[Candidate(recipe=recipes[family], loss=loss / scale, rows=len(rows) - border)
                    for family, loss in holdout.items()],
        holdout=holdout, loss_scale=scale, losses=_answer_losses(metadata, outputs, held_out),
        predictions=reference_of_answers(pipeline, metadata, held_out, outputs, A_TRIAL_SAID_IT) if len(held_out)
        else None,
    )


def first_decision(first: FirstModel) -> TrainingDecision:
    """The decision to train it."""
    chosen, dataset = first.chosen, first.recipe.dataset
    gate = GateVerdict(rule="bootstrap", champion_loss=None, candidate_loss=chosen.loss, rows=chosen.rows)
    return TrainingDecision(
        decision_id=first.decision_id, incident_id=None, trigger="bootstrap", verdict="trained",
        reason=f"{first.recipe.family} answers best on the last fifth of the rows", at=dataset.last + 1,
        dataset=dataset, candidates=first.candidates, recipe=first.recipe, gate=gate,
    )


def first_state(pipeline: Pipeline, data: TrainingRows, first: FirstModel, epoch: int,
                version: str = "1") -> TrainerState:
    """What the trainer stands on once the first model, the registry's `version`, serves as `epoch`."""
    # The first refresh is then judged when the first refresh_labels new labels are in, not min_rows later.
    head_start = min(pipeline.gate.min_rows, pipeline.retraining.refresh_labels)
    event_time = int(data.rows.ts.max())
    champion = Expert(decision_id=first.decision_id, recipe=first.recipe, loss=0.0, weight=0.0,
                      version=version, registered=first.decision_id)
    return TrainerState(
        covered=data.dataset.last + 1, covered_alerts=0, labels=data.dataset.rows, event_time=event_time,
        loss_scale=first.loss_scale, champion=champion, champion_epoch=epoch,
        refreshed_labels=data.dataset.rows - head_start, refreshed_at=event_time,
    )


def _loss(expert: FittedExpert, rows: Rows) -> float:
    if expert.metadata.task == "regression":
        return float(np.mean(np.abs(expert.predict(rows) - np.array(rows.labels, dtype=np.float64))))
    return float(np.mean(expert.losses(rows, 1.0)))


def _answer_losses(metadata: ModelMetadata, outputs: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """As the losses of labelled rows are taken from what the scorer said of them."""
    labels, scores, _ = said(metadata, outputs)
    losses = [answer_loss(metadata.task, *row) for row in zip(rows.labels, labels, scores.tolist(), strict=True)]
    return np.array(losses)[np.argsort(rows.ts, kind="stable")]
