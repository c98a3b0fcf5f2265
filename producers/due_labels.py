"""When the label of a row goes out: after the event that comes `delay` rows later. Pure."""

from collections import deque
from collections.abc import Iterator

from msgspec import Struct

from producers.rows import Row
from schemas.codec import canonical_label
from schemas.messages import Label
from schemas.pipeline import Task


class DueLabel(Struct, frozen=True, kw_only=True):
    """A label to send. `joinable`: its event is scored and the label makes sense, so the join will emit it."""

    row: int
    key: bytes
    label: Label
    joinable: bool


class DueLabels:
    """Labels that wait for their turn; a row without a label waits too, and is then left out.

    A label's `ts` is the newest event time when it is due, so labels keep the order of their rows.
    """

    def __init__(self, delay: int, task: Task) -> None:
        self._delay = delay
        self._task: Task = task
        self._waiting: deque[Row] = deque()

    def after(self, row: Row, now: int) -> list[DueLabel]:
        """The label that is due after the event of `row`, if any; `now`: newest event time in epoch ms."""
        self._waiting.append(row)
        return self._due(self._waiting.popleft(), now) if len(self._waiting) > self._delay else []

    def rest(self, now: int, spacing: int) -> Iterator[DueLabel]:
        """Every label still waiting, timed as if events had gone on every `spacing` milliseconds."""
        while self._waiting:
            now += spacing
            yield from self._due(self._waiting.popleft(), now)

    def _due(self, row: Row, now: int) -> list[DueLabel]:
        if row.label is None:
            return []
        label = Label(event_id=row.event_id, entity=row.entity, ts=now, label=row.label)
        return [DueLabel(row=row.number, key=row.key, label=label,
                         joinable=row.fits and not label_problem(row, self._task))]


def label_problem(row: Row, task: Task) -> str:
    """Why the label of a row cannot be used; empty where it can."""
    if row.label is None:
        return "the label is missing"
    try:
        canonical_label(task, row.label)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""
