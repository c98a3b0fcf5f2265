"""Who trains: the holder of partition 0 of drift-alerts in the trainer's group."""


import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafka_access.access import KafkaAccess
from schemas.pipeline import Pipeline
from schemas.topics import COMMANDS, DRIFT_ALERTS, LABELLED, topic_name
from trainer.errors import LostLeadership

log = structlog.get_logger()

# Fits and a registry that is down may keep us from polling; a dead process is seen by its missing heartbeats.
_MAX_POLL_MS = 3_600_000


class Leadership:
    """A group member that fetches nothing: it holds the place and commits."""

    def __init__(self, pipeline: Pipeline, kafka: KafkaAccess, instance: str) -> None:
        self._alerts = topic_name(pipeline.name, DRIFT_ALERTS)
        self._labelled = topic_name(pipeline.name, LABELLED)
        self._commands = topic_name(pipeline.name, COMMANDS)
        self._holds = False
        self._lost = False
        self._consumer = Consumer({
            **kafka.librdkafka(), "group.id": f"{pipeline.name}.trainer",
            "group.instance.id": f"{pipeline.name}-trainer-{instance}",
            "partition.assignment.strategy": "cooperative-sticky",  # a newcomer takes nothing from who leads
            "enable.auto.commit": False, "auto.offset.reset": "earliest", "max.poll.interval.ms": _MAX_POLL_MS,
            "session.timeout.ms": 10_000, "heartbeat.interval.ms": 2_000,
        })
        self._consumer.subscribe([self._alerts], on_assign=self._assigned, on_revoke=self._revoked,
                                 on_lost=self._revoked)

    def wait(self, seconds: float) -> bool:
        """Stay in the group for `seconds`; True where we lead.

        Raises:
            LostLeadership: when we led and another trainer does now.
        """
        message = self._consumer.poll(seconds)
        error = message.error() if message is not None else None
        if error is not None and error.fatal():
            raise LostLeadership(f"another trainer has the place of this one in the group: {error.str()}")
        if error is not None:
            log.warning("the trainer's group has trouble", reason=error.str())
        if self._lost:
            raise LostLeadership(f"another trainer holds {self._alerts}; starting again behind it")
        return self._holds

    def stay(self, seconds: float) -> None:
        """As `wait`, for those who do not ask."""
        self.wait(seconds)

    def commit(self, covered: int, covered_alerts: int, covered_commands: int) -> None:
        """Commit what trainer-state covers: for lag and lockstep; a restart goes by trainer-state itself."""
        offsets = [TopicPartition(self._labelled, 0, covered), TopicPartition(self._alerts, 0, covered_alerts),
                   TopicPartition(self._commands, 0, covered_commands)]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:  # while another trainer joins, say; the next commit covers this one
            log.warning("offsets are not committed; trainer-state holds them", reason=error.args[0].str())

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)
            self._holds = True

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        del consumer
        self._lost = self._lost or bool(partitions)
