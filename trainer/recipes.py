"""Which candidates a round of training fits: every family on every window."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from schemas.messages import Incident, Recipe
from schemas.pipeline import Pipeline
from trainer.history import History, TrainingRows


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One candidate to fit; `search`: for better parameters first."""

    recipe: Recipe
    data: TrainingRows
    search: bool = False


def plans(pipeline: Pipeline, history: History, last: int, incident: Incident | None,
          relatives: Sequence[Recipe]) -> list[Plan]:
    """Candidates of a round that ends with offset `last`; a window that is longer than the history is left out.

    A candidate begins with the parameters of the newest of `relatives` that has its family and window.
    """
    retraining = pipeline.retraining
    newest = {(r.family, r.window): r.parameters for r in sorted(relatives, key=lambda r: r.dataset.last)}
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
            Plan(recipe=Recipe(family=family, window=window, dataset=data.dataset, seed=retraining.seed,
                               parameters=newest.get((family, window), {})), data=data)
            for family in retraining.families
        )
    return found


def searched(planned: Sequence[Plan], pipeline: Pipeline, kind: tuple[str, int | str] | None) -> list[Plan]:
    """The plans, those marked that are searched within the budget: of the champion's family and window, which `kind`
    names, in a refresh; all of them, None, in a round of an incident."""
    if not pipeline.retraining.search_seconds:
        return list(planned)
    return [replace(plan, search=kind in (None, (plan.recipe.family, plan.recipe.window))) for plan in planned]
