"""Partitions that a topic is given are taken up, also by a leader of the group that does not know that it is one."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.cimpl import NewPartitions

from kafka_access.access import KafkaAccess

from . import lab as transport_lab
from .lab import Lab, until


@pytest.fixture
def lab(kafka: KafkaAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(transport_lab, "SESSION_SECONDS", 25.0)  # a restart on a busy machine lies within it
    lab = Lab(kafka, tmp_path)
    yield lab
    lab.close()


def test_a_leader_restarted_within_its_session_takes_up_new_partitions(lab: Lab) -> None:
    lab.write(10)
    lab.start("first", instance="w")
    until(lambda: lab.written() == 10, "the rows of the old partitions")
    lab.stop("first", signal.SIGKILL)
    lab.start("second", instance="w")
    until(lambda: lab.journal("second", "assigned"), "the second start", 40)
    lab.admin.create_partitions([NewPartitions(lab.events, 3)])[lab.events].result()
    until(lambda: lab.journal("second", "assigned")[-1]["partitions"] == [0, 1, 2], "the new partition", 40)
    lab._producer.list_topics(lab.events)  # it knows the topic from before
    lab.write(10, partition=2)
    until(lambda: {note["partition"] for note in lab.journal("second", "chunk")} >= {2}, "its rows")
