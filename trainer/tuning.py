"""Parameters of a recipe before it is fitted: rounds by early stop, the others by a search within a time budget.

Both hold out the last fifth of the recipe's rows, and both end in the recipe: fitting one never searches. How far a
search gets depends on the machine, so what it chose is written with the decision, and a trainer that takes the decision
again takes it from there.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from schemas.messages import Recipe, TrainingDecision
from schemas.pipeline import Pipeline
from trainer.candidates import fit, mean_loss, quiet, unfitted
from trainer.errors import UnusableRows
from trainer.families import SETTINGS, Setting
from trainer.history import TrainingRows
from trainer.recipes import Plan

HELD_OUT = 0.2
MIN_ROWS = 200  # of fewer, a fifth says nothing
PATIENCE = 10  # rounds without a better loss
TRIALS = 20  # of one search, however long it may take
_ROUNDS = {"lightgbm": "trees", "mlp": "epochs"}
_SMALLEST = 1e-15  # probability

_Part: TypeAlias = tuple[NDArray[np.float32], NDArray[Any]]


class Tuner:
    """Completes the recipes of a round of training. `clock` gives seconds; with the one that stands still a search is
    bounded by its trials alone. `recorded`: decisions on record that may be taken again."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0, recorded: Iterable[TrainingDecision] = ()) -> None:
        self._clock = clock
        self._recorded = {(d.decision_id, c.recipe.family, c.recipe.window): c.recipe
                          for d in recorded if d.verdict == "trained" for c in d.candidates}

    def __call__(self, pipeline: Pipeline, decision_id: str, plans: Sequence[Plan]) -> list[Plan]:
        """The plans as they are fitted. Those to be searched share the pipeline's seconds evenly."""
        seconds = pipeline.retraining.search_seconds / max(1, sum(plan.search for plan in plans))
        return [Plan(recipe=self._recipe(pipeline, decision_id, plan, seconds), data=plan.data) for plan in plans]

    def _recipe(self, pipeline: Pipeline, decision_id: str, plan: Plan, seconds: float) -> Recipe:
        recorded = self._recorded.get((decision_id, plan.recipe.family, plan.recipe.window))
        if recorded is not None:
            return recorded
        try:
            if plan.search:
                return search(pipeline, plan.recipe, plan.data, seconds, self._clock)
            return stop_early(pipeline, plan.recipe, plan.data)
        except UnusableRows:  # the fit will say so
            return plan.recipe


def stop_early(pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> Recipe:
    """The recipe with the number of rounds that answers best on the last fifth; as it is where its family is not one
    of `retraining.early_stop` or the rows are few.

    Raises:
        UnusableRows: when all of the first four fifths have one class.
    """
    if recipe.family not in pipeline.retraining.early_stop or len(data.rows) < MIN_ROWS:
        return recipe
    name = _ROUNDS[recipe.family]
    most = int(SETTINGS[recipe.family][name].high)
    first, last = data.split(HELD_OUT)
    expert = unfitted(pipeline, _with(recipe, {name: most}), first)
    targets = expert.targets(last.labels)
    known = np.full(len(last), fill_value=True) if pipeline.task == "regression" else targets >= 0
    if not known.any():
        return recipe
    seen = expert.matrix(first.rows), expert.targets(first.rows.labels)
    unseen = expert.matrix(last)[known], targets[known]
    best = _best_trees if recipe.family == "lightgbm" else _best_epochs
    with quiet():
        return _with(recipe, {name: best(expert.model, seen, unseen, most)})


def search(pipeline: Pipeline, recipe: Recipe, data: TrainingRows, seconds: float,
           clock: Callable[[], float]) -> Recipe:
    """The best of the recipe itself and at most TRIALS - 1 others of its family, fitted on the first four fifths and
    judged on the last. No trial begins after `seconds`; the one that runs then is finished.

    Raises:
        UnusableRows: when none can be fitted.
    """
    import optuna  # noqa: PLC0415  (takes a second)

    space = {name: setting for name, setting in SETTINGS[recipe.family].items()
             if recipe.family not in pipeline.retraining.early_stop or name != _ROUNDS[recipe.family]}
    if not space or len(data.rows) < MIN_ROWS:
        return stop_early(pipeline, recipe, data)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=recipe.seed))
    study.enqueue_trial({name: recipe.parameters.get(name, setting.default) for name, setting in space.items()})
    tried: list[tuple[float, Recipe]] = []
    first, last = data.split(HELD_OUT)
    began = clock()
    while len(tried) < TRIALS and (not tried or clock() - began < seconds):
        trial = study.ask()
        parameters = {name: _suggested(trial, name, setting) for name, setting in space.items()}
        stopped = stop_early(pipeline, _with(recipe, parameters), data)
        loss = mean_loss(fit(pipeline, stopped, first), last)
        study.tell(trial, loss)
        tried.append((loss, stopped))
    return min(tried, key=lambda pair: pair[0])[1]


def _suggested(trial: Any, name: str, setting: Setting) -> float | int:
    """A value of the setting's range, even on a logarithmic scale; with four digits, so that a recipe can be read."""
    if isinstance(setting.low, int):
        return int(trial.suggest_int(name, setting.low, setting.high, log=True))
    return float(f"{trial.suggest_float(name, setting.low, setting.high, log=True):.4g}")


def _best_trees(model: Any, seen: _Part, unseen: _Part, most: int) -> int:
    from lightgbm import LGBMRegressor, early_stopping  # noqa: PLC0415

    if isinstance(model, LGBMRegressor):
        model.set_params(metric="l1")
    model.fit(*seen, eval_set=[unseen], callbacks=[early_stopping(PATIENCE, verbose=False)])
    return min(most, model.best_iteration_ or most)


def _best_epochs(model: Any, seen: _Part, unseen: _Part, most: int) -> int:
    columns, network = (step for _, step in model.steps)
    rows, held_out = columns.fit_transform(seen[0]), columns.transform(unseen[0])
    classes = {"classes": np.unique(seen[1])} if hasattr(network, "predict_proba") else {}
    losses: list[float] = []
    while len(losses) < most and len(losses) - _best(losses) <= PATIENCE:
        network.partial_fit(rows, seen[1], **classes)
        losses.append(_loss(network, held_out, unseen[1]))
    return _best(losses)


def _best(losses: Sequence[float]) -> int:
    """Number of rounds with the lowest loss; 0 before the first."""
    return int(np.argmin(losses)) + 1 if losses else 0


def _loss(network: Any, rows: NDArray[Any], targets: NDArray[Any]) -> float:
    """Mean log loss or mean absolute error."""
    if not hasattr(network, "predict_proba"):
        return float(np.mean(np.abs(network.predict(rows) - targets)))
    own = network.predict_proba(rows)[np.arange(len(targets)), targets]
    return float(-np.mean(np.log(np.maximum(own, _SMALLEST))))


def _with(recipe: Recipe, parameters: dict[str, float | int]) -> Recipe:
    return replace(recipe, parameters={**recipe.parameters, **parameters})
