"""Partitions, workers and kills change no count, no report and no alert."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.shapes import run


@pytest.mark.timeout(900)  # it waits for processes, which a busy machine holds up
def test_counts_reports_and_alerts_are_the_same_for_every_shape_of_the_deployment(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    assert run(kafka, tmp_path, full=False).identical
