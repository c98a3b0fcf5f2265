"""The champion, the candidates under judgement, and the newest of each kind: their models and their records."""

from collections.abc import Sequence
from typing import TypeAlias

from schemas.messages import Expert
from trainer.candidates import FittedExpert
from trainer.gate import Contender, retention
from trainer.history import Rows

Key: TypeAlias = tuple[str, str, int | str]


class Pool:
    """`experts` holds a fitted model for every record, by its key."""

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

    def crown(self, winner: Contender) -> None:
        """The winner serves; what the others share with the former champion is void."""
        self.contenders.remove(winner)
        self.champion = winner
        for contender in self.contenders:
            contender.face_new_champion()

    def prune(self, pending: set[str], *, incident: bool) -> None:
        """Keep candidates of `pending` decisions, and the newest of each kind: its successor inherits its record.

        The kind `onset` ends with its incident.
        """
        newest = {c.kind: c for c in self.contenders}
        self.contenders = [
            c for c in self.contenders
            if c.decision_id in pending or (newest[c.kind] is c and (incident or c.recipe.window != "onset"))
        ]
        kept = {c.key for c in (self.champion, *self.contenders)}
        for key in [key for key in self._experts if key not in kept]:
            del self._experts[key]

    def _loss(self, contender: Contender, index: int, scale: float) -> float:
        """Loss on a row; asked for the rest of the batch at once."""
        assert self._batch is not None  # noqa: S101 - `face` comes before `score`
        if contender.key not in self._losses:
            rest = self._batch.part(index, len(self._batch))
            self._losses[contender.key] = self._experts[contender.key].losses(rest, scale)
        return self._losses[contender.key][index - len(self._batch)]
