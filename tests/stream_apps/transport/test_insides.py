"""What the transport relies on inside Faust, mode, aiokafka and confluent-kafka: no new version may move it unseen."""

import inspect
from importlib.metadata import version

import confluent_kafka
import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import BaseCoordinator, GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.app import App
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import Fetcher as FaustFetcher
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Transport
from faust.transport.drivers.aiokafka import Consumer as DriverConsumer
from faust.types import ConsumerMessage
from faust.worker import Worker
from mode.worker import Worker as ModeWorker

PARAMETERS = {
    # Methods that are replaced: who calls them, calls them like this.
    App._new_transport: ["self"],
    App._create_directories: ["self"],
    App._crash: ["self", "reason"],
    AIOKafkaConsumerThread.on_partitions_assigned: ["self", "assigned", "generation_id"],
    BaseConsumer._commit_tps: ["self", "tps", "start_new_transaction"],
    BaseConsumer._drain_messages: ["self", "fetcher"],
    BaseConsumer._filter_tps_with_pending_acks: ["self", "topics"],
    BaseConsumer._new_offset: ["self", "tp"],
    BaseConsumer._should_commit: ["self", "tp", "offset"],
    BaseConsumer.ack: ["self", "message"],
    BaseConsumer.on_partitions_revoked: ["self", "revoked"],
    BaseConsumer.perform_seek: ["self"],
    BaseConsumer.wait_empty: ["self"],
    DriverConsumer._new_consumer_thread: ["self"],
    DriverConsumer.verify_event_path: ["self", "now", "tp"],
    ThreadDelegateConsumer._commit: ["self", "offsets"],
    ModeWorker._gather_all: ["self"],
    ModeWorker._sentinel_task: ["self"],
    ModeWorker._schedule_shutdown: ["self", "signal"],
    Worker.on_setup_root_logger: ["self", "logger", "level"],
    # Methods that are called.
    AIOKafkaConsumerThread._ensure_consumer: ["self"],
    AIOKafkaConsumerThread.call_thread: ["self", "fun", "args", "kwargs"],
    BaseConsumer.maybe_wait_for_commit_to_finish: ["self"],
    BaseConsumer.commit_and_end_transactions: ["self"],
    GroupCoordinator.fetch_committed_offsets: ["self", "partitions"],
    GroupCoordinator.check_errors: ["self"],
}


@pytest.mark.parametrize(
    ("package", "expected"),
    [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0"), ("confluent-kafka", "2.16.1")],
)
def test_the_versions_are_those_the_transport_was_proved_on(package: str, expected: str) -> None:
    assert version(package) == expected, f"{package} moved: run the chaos tests several times before you pin it anew"


def test_the_methods_that_are_replaced_or_called_have_the_known_parameters() -> None:
    moved = {
        method.__qualname__: list(inspect.signature(method).parameters)
        for method, names in PARAMETERS.items()
        if list(inspect.signature(method).parameters) != names
    }
    assert moved == {}


def test_the_attributes_that_are_set_or_read_exist() -> None:
    faust_consumer = inspect.getsource(BaseConsumer)
    for name in (
        "_unacked_messages",
        "_read_offset",
        "can_resume_flow",
        "flow_active",
        "suspend_flow",
    ):
        assert f"self.{name} = " in faust_consumer, name
    coordinator = inspect.getsource(GroupCoordinator) + inspect.getsource(BaseCoordinator)
    for name in ("_group_subscription", "_metadata_snapshot", "_group_instance_id"):
        assert f"self.{name} = " in coordinator, name
    assert "if self._metadata_snapshot != metadata_snapshot:" in coordinator
    assert "consumer._drain_messages(self)" in inspect.getsource(FaustFetcher)
    assert "self._last_fetch_ended = " in inspect.getsource(SubscriptionState)
    assert "elif tp_state.paused:" in inspect.getsource(Fetcher)
    assert Transport.Consumer is DriverConsumer


def test_messages_carry_the_marks_that_faust_sets() -> None:
    assert {"acked", "tracked", "generation_id"} <= set(inspect.getmro(ConsumerMessage)[1].__slots__)


def test_produce_batch_still_ignores_the_partition_of_a_message() -> None:
    # If it learns to honour it, or to take headers, delivery.py can be simpler.
    assert "Message headers are not currently supported in batch mode" in str(
        confluent_kafka.Producer.produce_batch.__doc__
    )
