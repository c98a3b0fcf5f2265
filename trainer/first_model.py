"""Version 1, without the I/O: which family, and the state that the trainer starts from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drift.losses import answer_loss
from drift.predictions import said
from schemas.messages import Candidate, Expert, GateVerdict, Recipe, TrainerState, TrainingDecision, derived_id
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert, fit, mean_loss
from trainer.errors import UnusableRows
from trainer.history import Rows, TrainingRows
from trainer.reference import reference_of_answers
from trainer.tuning import stop_early

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
    """Fit every family on the first four fifths of the rows, judge it on the last. What an early stop finds within the
    first is kept for the fit on all.

    Raises:
        UnusableRows: when no family can be fitted.
    """
    trial, held_out = data.split(HOLDOUT)
    trials, problems = _trials(pipeline, trial)
    if not trials:
        raise UnusableRows(f"no family can be trained on the first {len(trial.rows)} rows ({'; '.join(problems)})")
    holdout = {recipe.family: mean_loss(expert, held_out) for recipe, expert in trials}
    recipe, expert = min(trials, key=lambda pair: holdout[pair[0].family])
    scale = (holdout[recipe.family] or 1.0) if pipeline.task == "regression" else 1.0
    outputs = expert.predict(held_out)
    return FirstModel(
        decision_id=derived_id(pipeline.name, "bootstrap", data.dataset.digest), recipe=recipe,
        candidates=[Candidate(recipe=tried, loss=holdout[tried.family] / scale, rows=len(held_out))
                    for tried, _ in trials],
        holdout=holdout, loss_scale=scale, losses=_answer_losses(expert.metadata, outputs, held_out),
        predictions=reference_of_answers(pipeline, expert.metadata, held_out, outputs, A_TRIAL_SAID_IT)
        if len(held_out) else None,
    )


def _trials(pipeline: Pipeline, data: TrainingRows) -> tuple[list[tuple[Recipe, FittedExpert]], list[str]]:
    """Each family's recipe fitted on `data`, and why some could not be."""
    trials: list[tuple[Recipe, FittedExpert]] = []
    problems: list[str] = []
    for family in pipeline.retraining.families:
        recipe = Recipe(family=family, window="all", dataset=data.dataset, seed=pipeline.retraining.seed)
        try:
            tried = stop_early(pipeline, recipe, data)
            trials.append((tried, fit(pipeline, tried, data)))
        except UnusableRows as error:
            problems.append(f"{family}: {error}")
    return trials, problems


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


def _answer_losses(metadata: ModelMetadata, outputs: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
    """As the losses of labelled rows are taken from what the scorer said of them."""
    labels, scores, _ = said(metadata, outputs)
    losses = [answer_loss(metadata.task, *row) for row in zip(rows.labels, labels, scores.tolist(), strict=True)]
    return np.array(losses)[np.argsort(rows.ts, kind="stable")]
