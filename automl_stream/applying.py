"""A new version of a pipeline's definition on its way to `config`, and the newest one back."""

import time

from confluent_kafka import KafkaException

from automl_stream.demo.frozen import read_first_model
from automl_stream.one_record import Unconfirmed, write_record
from automl_stream.topic_log import TopicLog
from automl_stream.wrong_use import WrongUse
from kafka_access.access import KafkaAccess
from kafka_access.definition import read_versions
from schemas.codec import decode, encode
from schemas.configuration import ConfigurationLog, Version, refusal, refusals
from schemas.messages import Configuration, DriftReport
from schemas.pipeline import Pipeline
from schemas.topics import CONFIG, DRIFT_STATS, LABELLED, MODEL_UPDATES, topic_name
from stream_apps.model_slot import UnusableModel


class ConfigurationFailed(Exception):
    """Kafka did not take the version, or another one came first; nothing has changed."""


class Definitions:
    """One pipeline's versions on Kafka."""

    def __init__(self, name: str, kafka: KafkaAccess, log: TopicLog) -> None:
        self._name = name
        self._kafka = kafka
        self._log = log
        self._topic = topic_name(name, CONFIG)

    def versions(self) -> ConfigurationLog:
        """All accepted ones.

        Raises:
            UnreadableDefinition: when Kafka does not answer.
        """
        return read_versions(self._name, self._kafka)

    def require_possible(self, pipeline: Pipeline, versions: ConfigurationLog) -> None:
        """Compare with the newest version, else with what serves.

        Raises:
            WrongUse: with what cannot change.
            TopicLogError: when Kafka does not answer.
        """
        current = versions.current
        found = self._unlike_what_serves(pipeline) if current is None else refusals(current.pipeline, pipeline)
        if found:
            raise WrongUse(refusal(self._name, found))

    def publish(self, pipeline: Pipeline, text: str, by: str, reason: str, replaces: int) -> Version:
        """Write a version that follows `replaces`; it applies behind everything that `labelled` holds now.

        Raises:
            ConfigurationFailed: when Kafka does not confirm it, or another version came first.
            TopicLogError: when `labelled` cannot be read.
        """
        _, end = self._log.bounds(topic_name(self._name, LABELLED))[0]
        configuration = Configuration(text=text, digest=pipeline.digest, replaces=replaces, by=by, reason=reason,
                                      labelled_offset=end, issued_at=time.time_ns() // 1_000_000)
        offset = self._write(encode(configuration))
        version = self.versions().find(offset)
        if version is None:
            raise ConfigurationFailed(f"another version of '{self._name}' came first; bring it back with --export, put "
                                      "your change into it and apply that")
        return version

    def _write(self, value: bytes) -> int:
        try:
            return write_record(self._kafka, self._topic, self._name, value)
        except (KafkaException, Unconfirmed) as error:
            why = error.args[0].str() if isinstance(error, KafkaException) else str(error)
            raise ConfigurationFailed(f"{self._topic} took no version ({why}); see to the broker and apply it again"
                                      ) from error

    def _unlike_what_serves(self, pipeline: Pipeline) -> list[str]:
        updates, reports = topic_name(self._name, MODEL_UPDATES), topic_name(self._name, DRIFT_STATS)
        if self._log.bounds(updates)[0][1]:
            try:
                read_first_model(pipeline, self._kafka)
            except UnusableModel as error:
                raise WrongUse(f"{error}; under another pipeline.name") from error
        first, end = self._log.bounds(reports)[0]
        if first < end:
            record = self._log.read({reports: {0: (end - 1, end)}})[reports].records[0]
            report = decode(record.value or b"", DriftReport)
            if report.window_end - report.window_start != pipeline.windows.size:
                return ["windows.size"]
        return []
