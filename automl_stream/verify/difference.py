"""What a check says: how many things it looked at, and each difference between what must be and what is."""

from dataclasses import dataclass, field

from msgspec import Struct

_LONGEST = 200


class Difference(Struct, frozen=True, kw_only=True):
    """One thing that is not as it must be. `where` names a source, a record (`topic partition/offset`) or a row."""

    check: str
    where: str
    expected: str
    found: str


@dataclass(kw_only=True)
class Seen:
    """What one check looked at while it ran; `notes`: what it could not judge, and why."""

    count: int = 0
    notes: list[str] = field(default_factory=list)


def shown(value: object) -> str:
    """A value as a difference shows it, of bounded length."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
