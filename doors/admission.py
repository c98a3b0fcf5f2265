"""How many requests are under way, whose they are, and how much their bodies hold in memory."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from doors.problem import refusal
from doors.settings import Limits

RETRY_SECONDS = 1


class Place:
    """What one request under way holds in memory."""

    def __init__(self, admission: "Admission") -> None:
        self._admission = admission
        self.held = 0

    def hold(self, size: int) -> None:
        """Count `size` bytes more.

        Raises:
            Refused: 503 when all bodies together would hold too much.
        """
        self._admission.hold(size)
        self.held += size


class Admission:
    """Gives places to requests: so many in all, so many to each caller."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: Counter[str] = Counter()
        self._held = 0

    @property
    def under_way(self) -> int:
        """How many requests have a place."""
        return self._under_way.total()

    @contextmanager
    def place(self, caller: str) -> Iterator[Place]:
        """A place until the block ends.

        Raises:
            Refused: 429 when this caller has all that one may have, 503 when there is none for anybody.
        """
        if self._under_way[caller] >= self._limits.requests_each:
            raise refusal(429, f"this caller has {self._limits.requests_each} requests under way", "this door",
                          "wait for answers before you send more, or send larger batches", retry_after=RETRY_SECONDS)
        if self.under_way >= self._limits.requests:
            raise refusal(503, f"{self._limits.requests} requests are under way", "this door", "try again",
                          retry_after=RETRY_SECONDS)
        self._under_way[caller] += 1
        place = Place(self)
        try:
            yield place
        finally:
            self._under_way[caller] -= 1
            self._held -= place.held

    def hold(self, size: int) -> None:
        """Count `size` bytes of some body.

        Raises:
            Refused: 503 when all of them would be too much.
        """
        if self._held + size > self._limits.held_bytes:
            raise refusal(503, f"the bodies under way hold {self._limits.held_bytes} bytes", "this door", "try again",
                          retry_after=RETRY_SECONDS)
        self._held += size
