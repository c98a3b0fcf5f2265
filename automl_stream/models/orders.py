"""An operator's word on its way to the trainer, and the decision that answers it."""

import time
import uuid
from collections.abc import Callable

from confluent_kafka import KafkaException

from automl_stream.models.errors import NotAnswered, NotRecorded
from automl_stream.models.history import answer_id
from automl_stream.one_record import Unconfirmed, write_record
from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from schemas.codec import decode, encode
from schemas.messages import Command, CommandAction, TrainingDecision
from schemas.topics import COMMANDS, LABELLED, TRAINING_DECISIONS, topic_name

REFUSED = ("failed", "rejected", "suppressed", "deferred")  # verdicts of a command that was not carried out
_LOOK_SECONDS = 0.2


class Orders:
    """Gives one pipeline's trainer commands, each once."""

    def __init__(self, pipeline: str, kafka: KafkaAccess, log: TopicLog) -> None:
        self._pipeline = pipeline
        self._kafka = kafka
        self._log = log
        self._commands = topic_name(pipeline, COMMANDS)
        self._decisions = topic_name(pipeline, TRAINING_DECISIONS)

    def give(self, action: CommandAction, by: str, reason: str, *, version: str | None = None,
             share: float | None = None) -> Command:
        """Record a command; it applies behind everything that `labelled` holds now.

        Raises:
            NotRecorded: when Kafka does not confirm it.
            TopicLogError: when `labelled` cannot be read.
        """
        _, end = self._log.bounds(topic_name(self._pipeline, LABELLED))[0]
        command = Command(command_id=uuid.uuid4().hex[:20], action=action, version=version, share=share, by=by,
                          reason=reason, labelled_offset=end, issued_at=time.time_ns() // 1_000_000)
        try:
            write_record(self._kafka, self._commands, command.command_id, encode(command))
        except KafkaException as error:
            raise NotRecorded(f"{self._commands} took no command ({error.args[0].str()}); see to the broker") from error
        except Unconfirmed as error:
            raise NotRecorded(f"{self._commands} did not confirm the command ({error}); see to the broker and give it "
                              "again") from error
        return command

    def answer(self, command: Command, seconds: float, waited: Callable[[float], None]) -> TrainingDecision:
        """The decision that answers the command; `waited` hears how long it has taken so far.

        Raises:
            NotAnswered: when there is none after `seconds`.
        """
        wanted, began, position = answer_id(command.command_id), time.monotonic(), 0
        while True:
            _, end = self._log.bounds(self._decisions)[0]
            for record in self._log.stream(self._decisions, {0: (position, end)}):
                if record.key == wanted.encode() and record.value is not None:
                    return decode(record.value, TrainingDecision)
            position, passed = end, time.monotonic() - began
            if passed >= seconds:
                raise NotAnswered(
                    f"command {command.command_id} ({command.action}) is recorded in {self._commands} and waits: no "
                    f"trainer has answered within {seconds:.0f} s; it is carried out as soon as one runs and has come "
                    f"to offset {command.labelled_offset} of {topic_name(self._pipeline, LABELLED)} (`automl-stream "
                    "status` shows the services; do not give it again)")
            waited(passed)
            time.sleep(min(_LOOK_SECONDS, seconds))
