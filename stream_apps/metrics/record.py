"""What the recorder shows of itself."""

from schemas.topics import TOPICS
from stream_apps.metrics.database import DatabaseMetrics
from stream_apps.metrics.reading import ReadingMetrics
from telemetry.metrics import WORK_SECONDS, ServiceMetrics

RECORDED = tuple(topic.name for topic in TOPICS if "record" in topic.consumers)


class RecordMetrics(ServiceMetrics):
    """How far the copy in PostgreSQL is behind: see `consumer_lag_records`."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = ReadingMetrics(self)
        self.database = DatabaseMetrics(self)
        self.rows = self.counter("recorded", "Records written to PostgreSQL.", topic=RECORDED)
        self.seconds = self.histogram("record_seconds", "Writing of a chunk to PostgreSQL.", WORK_SECONDS)
        self.written = self.gauge("record_timestamp_seconds", "When a chunk was last written to PostgreSQL.")
        self.expired = self.counter("record_expired", "Records of days that retention has passed.")
        self.refused = self.counter("refused", "Predictions that PostgreSQL refused.")
        self.contradicted = self.counter("audit_contradicted",
                                         "Records that the audit does not hold as they were said.")
