"""What the prediction API shows of itself."""

from doors.metrics import DoorMetrics
from stream_apps.metrics.serving import ServingMetrics
from telemetry.metrics import ServiceMetrics


class PredictionMetrics(ServiceMetrics):
    """Requests are the door's; rows are counted here."""

    def __init__(self) -> None:
        super().__init__()
        self.door = DoorMetrics(self)
        self.serving = ServingMetrics(self)
        self.answered = self.counter("rows_answered", "Events that were answered.")
        self.refused = self.counter("rows_unanswerable", "Events that no answer could be given to.",
                                    reason=("malformed", "invalid", "timestamp", "future", "poison"))
