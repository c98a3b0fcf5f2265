"""PostgreSQL away for a while costs time and no row, and a full replay changes nothing."""

from pathlib import Path

import pytest

from tests.chaos.recorder import run


@pytest.mark.timeout(280)
def test_every_row_is_stored_once_after_an_outage_and_a_replay_changes_nothing(
        bootstrap_servers: str, tmp_path: Path) -> None:
    figures = run(bootstrap_servers, tmp_path, full=False)
    assert figures.exact
    assert figures.behind > 0
