"""The events that were acknowledged lately: a retry of one is answered, not sent again. Pure."""

from producers.api.readers import Record

REMEMBERED = 100_000


class Recent:
    """What the last so many acknowledged events said, by (entity, event id)."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._contents: dict[tuple[str, str], int] = {}

    def content(self, record: Record) -> int | None:
        """What the event of this identity said; None for one that is not known."""
        return self._contents.get(record.identity)

    def remember(self, record: Record) -> None:
        """An event is acknowledged; the oldest is forgotten for it."""
        self._contents[record.identity] = record.content
        if len(self._contents) > self._size:
            del self._contents[next(iter(self._contents))]
