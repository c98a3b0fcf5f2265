"""The command of the trainer's faults gives the figures that it promises."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.trainer import run
from tests.trainer.doomed_trainer import STEPS


@pytest.mark.filterwarnings("default")  # MLflow's dependencies deprecate each other
@pytest.mark.timeout(900)
def test_a_trainer_killed_at_every_step_decides_and_announces_as_if_undisturbed(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    figures = run(kafka, tmp_path, full=False)
    assert figures.kills == len(STEPS) + 1
    assert figures.same_decisions
    assert (figures.announced_per_decision_max, figures.missing, figures.abandoned) == (1, 0, 1)
