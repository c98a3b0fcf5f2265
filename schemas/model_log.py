"""The order of models is the order of a log: the fold that every reader of `model-updates` applies."""

from dataclasses import dataclass, field

from msgspec import DecodeError

from schemas.codec import decode
from schemas.messages import ModelAnnouncement

NO_EPOCH = -1


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """An accepted announcement. `epoch`: its offset; `profile_epoch`: offset of the one that brought its profile."""

    epoch: int
    profile_epoch: int
    announcement: ModelAnnouncement


@dataclass(kw_only=True)
class ModelLog:
    """Accepted announcements of one slot, oldest first. An announcement is accepted only if it replaces the current."""

    slot: str = "champion"
    accepted: list[Accepted] = field(default_factory=list)

    @property
    def current(self) -> Accepted | None:
        """The newest accepted announcement."""
        return self.accepted[-1] if self.accepted else None

    @property
    def epoch(self) -> int:
        """Epoch of the current one, -1 where there is none."""
        return self.accepted[-1].epoch if self.accepted else NO_EPOCH

    def offer(self, epoch: int, announcement: ModelAnnouncement) -> bool:
        """Fold one record in; False where it lost (a late or second trainer, or another slot)."""
        if announcement.slot != self.slot or announcement.replaces != self.epoch or epoch <= self.epoch:
            return False
        last = self.current
        same_profile = last is not None and last.announcement.profile.digest == announcement.profile.digest
        profile_epoch = last.profile_epoch if last is not None and same_profile else epoch
        self.accepted.append(Accepted(epoch=epoch, profile_epoch=profile_epoch, announcement=announcement))
        return True

    def read(self, epoch: int, record: bytes | None) -> bool:
        """Fold one record in as it stands in Kafka; bytes that are no announcement lose like a late one."""
        try:
            return self.offer(epoch, decode(record or b"", ModelAnnouncement))
        except DecodeError:
            return False

    def find(self, epoch: int) -> Accepted | None:
        """The accepted announcement of an epoch."""
        return next((a for a in reversed(self.accepted) if a.epoch == epoch), None)
