"""Follows `config` while a service runs: what may change at once is taken before the next thing that is said."""

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from kafka_access.access import KafkaAccess
from kafka_access.definition import read_versions
from schemas.configuration import ConfigurationLog, Version
from schemas.topics import CONFIG, topic_name

log = structlog.get_logger()


class DefinitionFollower:
    """`current` is the newest accepted version, None where there is none."""

    def __init__(self, name: str, kafka: KafkaAccess) -> None:
        """Everything up to now is read here, before the service says anything.

        Raises:
            UnreadableDefinition: when Kafka does not answer.
        """
        self._kafka = kafka
        self._partition = TopicPartition(topic_name(name, CONFIG), 0)
        self._versions: ConfigurationLog = read_versions(name, kafka)

    @property
    def current(self) -> Version | None:
        """The newest version up to now."""
        return self._versions.current

    async def run(self) -> None:
        """Fold the log for ever."""
        consumer = AIOKafkaConsumer(**self._kafka.aiokafka(), enable_auto_commit=False, fetch_max_wait_ms=100,
                                    isolation_level="read_committed")
        await consumer.start()
        try:
            consumer.assign([self._partition])
            consumer.seek(self._partition, self._versions.offset + 1)
            while True:
                for record in (await consumer.getmany(self._partition, timeout_ms=1_000)).get(self._partition, []):
                    version = self._versions.read(record.offset, record.value)
                    if version is None:
                        log.warning("a version of the definition is refused", version=record.offset)
                    else:
                        log.info("a new version of the definition", version=version.offset, by=version.configuration.by)
        finally:
            await consumer.stop()
