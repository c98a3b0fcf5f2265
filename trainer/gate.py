"""Who serves: candidates against the champion, on rows that none of them was fitted on. Pure.

Every labelled row scores everyone before anyone is fitted on it (prequential). The record is the mean loss with
exponential forgetting; a fresh expert inherits the record of its kind (family and window), because refitting a kind on
newer rows is the same bet gone on with. A candidate is let through by one of two rules, both after `min_rows` own rows:

- lower loss: its discounted loss is below the champion's;
- succession: it is a newer fit of the champion's own kind and on the rows they share not worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.messages import Expert, GateVerdict, Recipe


@dataclass(kw_only=True)
class Contender:
    """The running record of an expert; `Expert` is its frozen form."""

    decision_id: str
    recipe: Recipe
    rows: int = 0
    loss: float = 0.0
    weight: float = 0.0
    shared_rows: int = 0
    shared_loss: float = 0.0
    champion_loss: float = 0.0

    @property
    def kind(self) -> tuple[str, int | str]:
        """What stays the same from one fit to the next."""
        return self.recipe.family, self.recipe.window

    @property
    def key(self) -> tuple[str, str, int | str]:
        """Identity of this one fit."""
        return self.decision_id, *self.kind

    @property
    def discounted(self) -> float | None:
        """Discounted mean loss; None before the first row."""
        return self.loss / self.weight if self.weight else None

    def record(self, loss: float, champion_loss: float, keep: float) -> None:
        """One more row: its loss, the champion's on the same row; `keep` is what remains of the past."""
        self.rows += 1
        self.loss = self.loss * keep + loss
        self.weight = self.weight * keep + 1.0
        self.shared_rows += 1
        self.shared_loss += loss
        self.champion_loss += champion_loss

    def face_new_champion(self) -> None:
        """Rows shared with the former champion say nothing about the new one."""
        self.shared_rows, self.shared_loss, self.champion_loss = 0, 0.0, 0.0

    def freeze(self) -> Expert:
        """The record as it stands in trainer-state."""
        return Expert(**vars(self))

    @classmethod
    def thaw(cls, expert: Expert) -> "Contender":
        """The record that `freeze` wrote."""
        return cls(**{name: getattr(expert, name) for name in expert.__struct_fields__})


def retention(half_life: int) -> float:
    """What remains of the past after one row."""
    return float(0.5 ** (1 / half_life))


def heir(decision_id: str, recipe: Recipe, ancestors: Sequence[Contender]) -> Contender:
    """A fresh expert with the record of the newest of its kind; of a new kind, with the champion's, which comes first.

    `ancestors`: champion first, then the others, oldest first.
    """
    kin = [a for a in ancestors if a.kind == (recipe.family, recipe.window)]
    parent = max(kin, key=lambda a: a.recipe.dataset.last, default=ancestors[0])
    return Contender(decision_id=decision_id, recipe=recipe, loss=parent.loss, weight=parent.weight)


def judge(champion: Contender, candidates: Sequence[Contender],
          min_rows: int) -> tuple[Contender, GateVerdict] | None:
    """The candidate with the lowest discounted loss among those that are let through, and by which rule."""
    passed = [(c, verdict) for c in candidates if (verdict := _verdict(champion, c, min_rows)) is not None]
    return min(passed, key=lambda pair: pair[1].candidate_loss or 0.0, default=None)


def _verdict(champion: Contender, candidate: Contender, min_rows: int) -> GateVerdict | None:
    own, other = candidate.discounted, champion.discounted
    if candidate.rows < min_rows or own is None or other is None:
        return None
    if own < other:
        return GateVerdict(rule="lower-loss", champion_loss=other, candidate_loss=own, rows=candidate.rows)
    newer = candidate.recipe.dataset.last > champion.recipe.dataset.last
    comparable = candidate.shared_rows >= min_rows and candidate.shared_loss <= candidate.champion_loss
    if candidate.kind == champion.kind and newer and comparable:
        return GateVerdict(rule="succession", champion_loss=other, candidate_loss=own, rows=candidate.rows)
    return None
