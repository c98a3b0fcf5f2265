"""Reading everything again changes nothing: rows, statistics, alerts, training log, versions, decisions."""

import pytest

from tests.chaos.rewind import rewound
from tests.demo.conftest import Demo


@pytest.mark.timeout(600)  # a whole demo, and its services once more
def test_services_that_read_everything_again_change_nothing(undisturbed: Demo) -> None:
    before, after = rewound(undisturbed.home / "demo", undisturbed.pipeline)
    assert undisturbed.report()["alerts"]
    for name in ("labelled", "drift-stats", "drift-alerts", "training-decisions", "model-updates",
                 "versions in MLflow"):
        assert before[name], name
    for name, content in before.items():
        assert after[name] == content, name
