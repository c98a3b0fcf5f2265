"""Where a command finds Kafka."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafka_access.access import KafkaAccess


@contextmanager
def broker(home: Path, environment: Mapping[str, str]) -> Iterator["KafkaAccess"]:
    """Access to Kafka: to the environment's, else to that of the stack in `home`, which is started for as long as
    it is needed where it was ended.

    Raises:
        WrongUse: when there is neither.
    """
    from automl_stream.database import addresses  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.local_stack.status import read_status  # noqa: PLC0415
    from kafka_access.environment import named_access  # noqa: PLC0415

    running = {service.name: service.address for service in read_status(home).services if service.alive}
    with ExitStack() as stack:
        kafka = named_access(environment, running.get("kafka"))
        if kafka is None:
            kafka, _ = stack.enter_context(addresses(home, environment))
        yield kafka
