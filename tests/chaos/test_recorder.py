"""PostgreSQL's faults cost time and no row, scoring does not notice, and a full replay changes nothing."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.recorder import LASTING, run


@pytest.mark.timeout(280)
def test_every_row_is_stored_once_after_each_fault_and_a_replay_changes_nothing(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    figures = run(kafka, tmp_path, full=False)
    assert figures.exact
    assert figures.outages.keys() == LASTING.keys()
    assert figures.outages["stopped"].behind > 0
