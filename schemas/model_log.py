"""The order of models is the order of a log: the fold that every reader of `model-updates` applies."""

from dataclasses import dataclass, field

from msgspec import DecodeError

from schemas.codec import decode
from schemas.messages import ModelAnnouncement

NO_EPOCH = -1


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An accepted announcement. `epoch`: its offset; `profile_epoch`: offset of the one that brought the profile under
    which its rows are counted (for a canary the champion's)."""

    epoch: int
    profile_epoch: int
    announcement: ModelAnnouncement


@dataclass(frozen=True, kw_only=True)
class Serving:
    """Who serves after the announcement `epoch`: the champion and, for its share of the entities, the canary."""

    epoch: int
    champion: Accepted
    canary: Accepted | None


@dataclass(kw_only=True)
class ModelLog:
    """Accepted announcements, oldest first. One is accepted only if it replaces the current content of its slot.

    A canary is judged against one champion: the next champion ends it, and the first canary replaces the champion.
    """

    accepted: list[Accepted] = field(default_factory=list)
    canaries: list[Accepted] = field(default_factory=list)

    @property
    def current(self) -> Accepted | None:
        """The champion."""
        return self.accepted[-1] if self.accepted else None

    @property
    def epoch(self) -> int:
        """Epoch of the champion, -1 where there is none."""
        return self.accepted[-1].epoch if self.accepted else NO_EPOCH

    @property
    def latest(self) -> int:
        """Epoch of the last accepted announcement of either slot, -1 where there is none."""
        return max(self.epoch, self.canaries[-1].epoch if self.canaries else NO_EPOCH)

    def offer(self, epoch: int, announcement: ModelAnnouncement) -> bool:
        """Fold one record in; False where it lost to an earlier one."""
        first = announcement.slot == "champion"
        replaced = self.epoch if first else self.latest
        if announcement.replaces != replaced or epoch <= self.latest or not (first or self.accepted):
            return False
        champion = self.current
        same_profile = champion is not None and (
            not first or champion.announcement.profile.digest == announcement.profile.digest)
        profile_epoch = champion.profile_epoch if champion is not None and same_profile else epoch
        (self.accepted if first else self.canaries).append(
            Accepted(epoch=epoch, profile_epoch=profile_epoch, announcement=announcement))
        return True

    def read(self, epoch: int, record: bytes | None) -> bool:
        """Fold one record in as it stands in Kafka; bytes that are no announcement lose like a late one."""
        try:
            return self.offer(epoch, decode(record or b"", ModelAnnouncement))
        except DecodeError:
            return False

    def announced(self) -> list[Accepted]:
        """Accepted announcements of either slot, newest first."""
        return sorted((*self.accepted, *self.canaries), key=lambda a: a.epoch, reverse=True)

    def find(self, epoch: int) -> Accepted | None:
        """The accepted announcement of an epoch, of either slot."""
        return next((a for a in self.announced() if a.epoch == epoch), None)

    def serving(self, epoch: int) -> Serving | None:
        """Who served after the announcement `epoch`; None before the first champion."""
        champion = next((a for a in reversed(self.accepted) if a.epoch <= epoch), None)
        if champion is None:
            return None
        canary = next((a for a in reversed(self.canaries) if a.epoch <= epoch), None)
        ended = canary is None or canary.epoch < champion.epoch or canary.announcement.share == 0
        return Serving(epoch=max(champion.epoch, canary.epoch if canary else NO_EPOCH), champion=champion,
                       canary=None if ended else canary)

    def epochs(self) -> list[int]:
        """Epochs of all accepted announcements, newest first."""
        return [a.epoch for a in self.announced()]
