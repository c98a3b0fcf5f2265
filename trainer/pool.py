"""The experts under test: the champion, candidates, the newest of each kind, earlier champions; models and records."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from schemas.messages import Expert
from trainer.candidates import FittedExpert
from trainer.gate import Contender, retention
from trainer.history import Rows

Key: TypeAlias = tuple[str, str, int | str]


class Pool:
    """`experts` holds a fitted model for every record, by its key; contenders stand in the order in which they came."""

    def __init__(self, champion: Expert, contenders: Sequence[Expert], experts: dict[Key, FittedExpert],
                 half_life: int) -> None:
        self.champion = Contender.thaw(champion)
        self.contenders = [Contender.thaw(expert) for expert in contenders]
        self._experts = experts
        self._keep = retention(half_life)
        self._batch: Rows | None = None
        self._losses: dict[Key, list[float]] = {}  # of the last rows of the batch

    def expert(self, contender: Contender) -> FittedExpert:
        """The fitted model of a record."""
        return self._experts[contender.key]

    def find(self, chosen: Callable[[Contender], bool]) -> Contender | None:
        """The newest contender that is meant."""
        return next((c for c in reversed(self.contenders) if chosen(c)), None)

    def face(self, batch: Rows) -> None:
        """The rows that `score` is asked about next."""
        self._batch, self._losses = batch, {}

    def score(self, index: int, scale: float) -> None:
        """Everyone's loss on row `index` of the batch goes into the records."""
        champion_loss = self._loss(self.champion, index, scale)
        self.champion.record(champion_loss, champion_loss, self._keep)
        for contender in self.contenders:
            contender.record(self._loss(contender, index, scale), champion_loss, self._keep)

    def add(self, contender: Contender, expert: FittedExpert) -> None:
        """A fresh candidate."""
        self.contenders.append(contender)
        self._experts[contender.key] = expert

    def crown(self, winner: Contender, *, keep_former: bool) -> None:
        """The winner serves; the former champion stays under test, or leaves. What anyone shares with it is void."""
        former = self.champion
        self.contenders = [c for c in self.contenders if c is not winner]
        if keep_former:
            self.contenders.append(former)
        self.champion = winner
        for contender in (self.champion, *self.contenders):
            contender.face_new_champion()

    def prune(self, kept: Callable[[Contender], bool], size: int, *, incident: bool) -> None:
        """Keep whom `kept` names, the newest fit of each kind, and of the others those with the lowest loss, up to
        `size` with the champion.

        The kind `onset` ends with its incident.
        """
        newest = {c.kind: c for c in sorted(self.contenders, key=lambda c: c.recipe.dataset.last)}
        staying = [c for c in self.contenders if kept(c) or (
            newest[c.kind] is c and (incident or c.recipe.window != "onset"))]
        others = sorted((c for c in self.contenders if c not in staying), key=lambda c: c.discounted or 0.0)
        staying += others[: max(0, size - 1 - len(staying))]
        self.contenders = [c for c in self.contenders if c in staying]
        keys = {c.key for c in (self.champion, *self.contenders)}
        for key in [key for key in self._experts if key not in keys]:
            del self._experts[key]

    def _loss(self, contender: Contender, index: int, scale: float) -> float:
        """Loss on a row; asked for the rest of the batch at once."""
        assert self._batch is not None  # noqa: S101 - `face` comes before `score`
        if contender.key not in self._losses:
            rest = self._batch.part(index, len(self._batch))
            self._losses[contender.key] = self._experts[contender.key].losses(rest, scale)
        return self._losses[contender.key][index - len(self._batch)]
