"""PostgreSQL away for a while costs time and no row, and a full replay changes nothing."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.recorder import run


@pytest.mark.timeout(280)
def test_every_row_is_stored_once_after_an_outage_and_a_replay_changes_nothing(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    figures = run(kafka, tmp_path, full=False)
    assert figures.exact
    assert figures.behind > 0
