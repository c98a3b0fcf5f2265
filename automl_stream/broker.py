"""Where a command finds Kafka."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from kafka_access.access import KafkaAccess


@contextmanager
def broker(home: Path, environment: Mapping[str, str]) -> Iterator["KafkaAccess"]:
    """Access to Kafka: to the environment's, else to that of the stack in `home`, which is started for as long as
    it is needed where it was ended.

    Raises:
        WrongUse: when there is neither.
    """
    from automl_stream.local_stack.status import read_status  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.verify.command import reachable  # noqa: PLC0415
    from automl_stream.verify.errors import NoAddress  # noqa: PLC0415
    from kafka_access.environment import named_access  # noqa: PLC0415

    running = {service.name: service.address for service in read_status(home).services if service.alive}
    with ExitStack() as stack:
        kafka = named_access(environment, running.get("kafka"))
        if kafka is None:
            try:
                kafka, _ = stack.enter_context(reachable(home, environment))
            except NoAddress as error:
                raise WrongUse(str(error)) from error
        yield kafka
