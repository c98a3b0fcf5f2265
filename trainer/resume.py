"""A session as it was: the log is read again, and each expert is fitted again where it was fitted first."""

from collections.abc import Iterable

from schemas.messages import LabelledEvent, TrainerState
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert, fit
from trainer.errors import TrainerError
from trainer.gate import Contender
from trainer.guards import Golden
from trainer.history import History
from trainer.pool import Key
from trainer.session import Session
from trainer.standing import Fit


def resume(pipeline: Pipeline, state: TrainerState, log: Iterable[tuple[int, LabelledEvent]],
           fitting: Fit = fit, golden: Golden | None = None) -> Session:
    """The session that wrote `state`; `log` holds `labelled` from its first offset up to `state.covered` (exclusive).

    Raises:
        TrainerError: when the log no longer holds what an expert was fitted on.
    """
    history = History(pipeline)
    experts: dict[Key, FittedExpert] = {}
    waiting = sorted((Contender.thaw(e) for e in (state.champion, *state.experts)), key=lambda c: c.recipe.dataset.last)
    for offset, event in log:
        if history.fits(event):
            history.append(offset, event)
        while waiting and waiting[0].recipe.dataset.last <= offset:
            contender = waiting.pop(0)
            experts[contender.key] = _fit_again(pipeline, contender, history, fitting)
    if waiting:
        raise TrainerError(f"`labelled` of pipeline '{pipeline.name}' ends before offset "
                           f"{waiting[-1].recipe.dataset.last}, which trainer-state knows: restore the topic, or "
                           "bootstrap under another pipeline name")
    return Session(pipeline, state, history, experts, fitting, golden)


def _fit_again(pipeline: Pipeline, contender: Contender, history: History, fitting: Fit) -> FittedExpert:
    recipe = contender.recipe
    data = history.dataset(recipe.dataset.first, recipe.dataset.last)
    if data.dataset != recipe.dataset:
        raise TrainerError(f"offsets {recipe.dataset.first} to {recipe.dataset.last} of `labelled` hold other rows "
                           f"than decision {contender.decision_id} was trained on: restore the topic, or bootstrap "
                           "under another pipeline name")
    return fitting(pipeline, recipe.family, data)
