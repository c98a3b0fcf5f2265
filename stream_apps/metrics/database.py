"""What every service shows that writes to PostgreSQL."""

from telemetry.metrics import ServiceMetrics


class DatabaseMetrics:
    """PostgreSQL, as the service sees it; while it is away, work waits and Kafka keeps what it would have stored."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.waiting = service.gauge(
            "postgres_waiting_seconds", "How long the work under way waits: PostgreSQL is away, locked, or slow.")
