"""The completed prefix of one partition: chunks end in any order, only what has no gap before it may be committed."""

from collections import deque


class Slot:
    """One chunk's place in its partition's order."""

    __slots__ = ("done", "end")

    def __init__(self, end: int) -> None:
        """`end` is the offset after the chunk's last row."""
        self.end = end
        self.done = False


class Prefix:
    """Chunks of one partition in the order they were read, during one assignment."""

    __slots__ = ("_open", "end")

    def __init__(self) -> None:
        """Start with nothing read and nothing committable."""
        self._open: deque[Slot] = deque()
        self.end: int | None = None
        """Offset after the completed prefix; None until the first chunk read has completed."""

    @property
    def pending(self) -> int:
        """Chunks that were read and are not in the completed prefix."""
        return len(self._open)

    def read(self, end: int) -> Slot:
        """Note a chunk that was read up to `end` (exclusive)."""
        slot = Slot(end)
        self._open.append(slot)
        return slot

    def complete(self, slot: Slot) -> None:
        """Note that everything that depends on the chunk is delivered; a second call changes nothing."""
        slot.done = True
        while self._open and self._open[0].done:
            self.end = self._open.popleft().end
