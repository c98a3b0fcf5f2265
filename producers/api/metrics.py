"""What the ingestion API shows of itself."""

from collections.abc import Callable
from typing import Literal, get_args

from doors.metrics import DoorMetrics
from telemetry.metrics import ServiceMetrics

Outcome = Literal["acknowledged", "repeated", "refused", "unconfirmed"]
Count = Callable[[Outcome, int], None]


class IngestionMetrics(ServiceMetrics):
    """Requests are the door's; rows are counted here."""

    def __init__(self) -> None:
        super().__init__()
        self.door = DoorMetrics(self)
        self.rows = self.counter("rows_ingested", "Rows by what became of them.", topic=("events", "labels"),
                                 outcome=get_args(Outcome))

    def of(self, topic: str) -> Count:
        """What counts the rows of one topic."""
        return lambda outcome, rows: self.rows.labels(topic, outcome).inc(rows)
