"""What every service shows that reads Kafka through the transport."""

from telemetry.metrics import ServiceMetrics


class ReadingMetrics:
    """Kafka, as the service sees it. The lag is Kafka's word: it also grows where the service stands still."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.reachable = service.gauge("kafka_reachable", "1 while Kafka answers, 0 while it does not.")
        self.reachable.set(1)  # it has just given the definition; who loads for minutes asks only afterwards
        self.lag = service.gauge(
            "consumer_lag_records", "Records that wait: up to a partition's end, and not yet done with.",
            topic="topics that the service reads", partition="partitions that this process has")
