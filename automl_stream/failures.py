"""Which errors a user is meant to meet, and the exit code each means. It knows every package's root of errors."""

from confluent_kafka import KafkaException

from automl_stream.applying import ConfigurationFailed
from automl_stream.audit.errors import AuditError, UnknownEvent, UnknownRow
from automl_stream.database import DatabaseAway
from automl_stream.dead_letters.errors import DeadLettersError, UnknownSource
from automl_stream.demo.lockstep import LockstepStalled
from automl_stream.demo.run import DemoFailed
from automl_stream.erasure.errors import NotAllowed
from automl_stream.export.errors import TargetTaken
from automl_stream.group_commits import StillRunning
from automl_stream.local_stack.errors import LocalStackError, UnknownService
from automl_stream.models.errors import ModelsError, UnknownVersion
from automl_stream.partitions import PartitionsFailed
from automl_stream.topic_log import TopicLogError
from automl_stream.topics import TopicsDiffer
from automl_stream.wrong_use import WrongUse
from grafana.errors import GrafanaError, UnusableAddress
from kafka_access.access import UnusableAccess
from kafka_access.definition import UnreadableDefinition
from producers.errors import DeliveryFailed, ProducerError
from schema_registry.errors import RegistryAway
from schemas.pipeline import PipelineError
from stream_apps.migrations.migrate import MigrationError
from stream_apps.settings import StartError
from trainer.errors import TrainerError, UnknownDecision

FOUND_WANTING, WRONG_USE = 1, 2

_WRONG_USE = (TargetTaken, UnknownDecision, UnknownEvent, UnknownRow, UnknownService, UnknownSource, UnknownVersion,
              WrongUse, PipelineError, UnusableAccess, UnusableAddress)
_EXPECTED = (AuditError, ConfigurationFailed, UnreadableDefinition, DatabaseAway, DeadLettersError, NotAllowed,
             GrafanaError, LocalStackError, MigrationError, ModelsError, TopicLogError, TrainerError, TopicsDiffer,
             PartitionsFailed, DemoFailed, LockstepStalled, StartError, StillRunning, DeliveryFailed, RegistryAway,
             KafkaException, OSError)


def exit_code(error: Exception) -> int | None:
    """Exit code of an expected error; None where it is a defect that deserves its traceback."""
    if isinstance(error, _WRONG_USE) or (isinstance(error, ProducerError) and not isinstance(error, DeliveryFailed)):
        return WRONG_USE
    return FOUND_WANTING if isinstance(error, _EXPECTED) else None
