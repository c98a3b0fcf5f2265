"""Who serves: candidates against the champion, on rows that none of them was fitted on. Pure.

Every labelled row scores everyone before anyone is fitted on it (prequential). The record is the mean loss with
exponential forgetting; a fresh expert inherits the record of its kind (family and window), because refitting a kind on
newer rows is the same bet gone on with. A candidate is let through by one of two rules, both after `min_rows` own rows:

- evidence: a bet on its loss being lower than the champion's has multiplied its stake by pool / alpha. The stake is an
  e-process (Waudby-Smith and Ramdas 2024; Choe and Ramdas 2024): while the candidate is not better, the chance that it
  ever gets there is at most alpha / pool, whenever it is looked at. It starts with the fit, and anew at each promotion.
  It is a test and no change detector: it has no floor, and a change is met by the next round's fits;
- succession: it is a newer fit of the champion's own kind and on the rows they share not worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log1p

from schemas.messages import Expert, GateVerdict, Recipe, Rule

MAX_LOSS = 3.0  # of a row; what is above is cut
BET = 0.9  # share of the stake that one row can win or lose


@dataclass(kw_only=True)
class Contender:
    """The running record of an expert; `Expert` is its frozen form."""

    decision_id: str
    recipe: Recipe
    rows: int = 0
    own_loss: float = 0.0
    loss: float = 0.0
    weight: float = 0.0
    shared_rows: int = 0
    shared_loss: float = 0.0
    champion_loss: float = 0.0
    evidence: float = 0.0
    counter_evidence: float = 0.0
    version: str | None = None
    registered: str | None = None

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
        self.own_loss += loss
        self.loss = self.loss * keep + loss
        self.weight = self.weight * keep + 1.0
        self.shared_rows += 1
        self.shared_loss += loss
        self.champion_loss += champion_loss
        stake = BET * (champion_loss - loss) / MAX_LOSS
        self.evidence += log1p(stake)
        self.counter_evidence += log1p(-stake)

    def face_new_champion(self) -> None:
        """Rows shared with the former champion say nothing about the new one."""
        self.shared_rows, self.shared_loss, self.champion_loss = 0, 0.0, 0.0
        self.evidence, self.counter_evidence = 0.0, 0.0

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


def passes_evidence(evidence: float, alpha: float) -> bool:
    """Whether a log e-value shows at level `alpha` what it bets on."""
    return evidence >= log(1 / alpha)


def let_through(champion: Contender, candidates: Sequence[Contender], min_rows: int,
                alpha: float) -> list[tuple[Contender, GateVerdict]]:
    """The candidates that either rule lets through, the lowest discounted loss first; `alpha`: of each one's test."""
    passed = [(c, verdict) for c in candidates if (verdict := _verdict(champion, c, min_rows, alpha)) is not None]
    return sorted(passed, key=lambda pair: pair[1].candidate_loss or 0.0)


def compared(rule: Rule, champion: Contender, candidate: Contender) -> GateVerdict:
    """How both stand on the rows that they share, and by which rule one of them serves."""
    return GateVerdict(rule=rule, champion_loss=champion.discounted, candidate_loss=candidate.discounted,
                       rows=candidate.shared_rows, evidence=round(candidate.evidence, 6))


def _verdict(champion: Contender, candidate: Contender, min_rows: int, alpha: float) -> GateVerdict | None:
    if candidate.rows < min_rows:
        return None
    if passes_evidence(candidate.evidence, alpha):
        return compared("evidence", champion, candidate)
    newer = candidate.recipe.dataset.last > champion.recipe.dataset.last
    comparable = candidate.shared_rows >= min_rows and candidate.shared_loss <= candidate.champion_loss
    if candidate.kind == champion.kind and newer and comparable:
        return compared("succession", champion, candidate)
    return None
