"""Which candidates a round of training fits: every family on every window."""

from dataclasses import dataclass
from typing import Literal

from schemas.messages import Incident, Recipe
from schemas.pipeline import Pipeline
from trainer.history import History, TrainingRows


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One candidate to fit."""

    recipe: Recipe
    data: TrainingRows


def plans(pipeline: Pipeline, history: History, last: int, incident: Incident | None) -> list[Plan]:
    """Candidates of a round that ends with offset `last`; a window that is longer than the history is left out."""
    retraining = pipeline.retraining
    found: list[Plan] = []
    windows: list[int | Literal["all", "onset"]] = [*retraining.windows]
    if incident is not None:
        windows.append("onset")
    for window in windows:
        if isinstance(window, int):
            first = history.first_of_newest(window, last)
        elif window == "onset" and incident is not None:
            first = history.first_since(incident.onset)
        else:
            first = history.first_offset()
        if first is None:
            continue
        data = history.dataset(first, last)
        found.extend(
            Plan(recipe=Recipe(family=family, window=window, dataset=data.dataset, seed=retraining.seed), data=data)
            for family in retraining.families
        )
    return found
