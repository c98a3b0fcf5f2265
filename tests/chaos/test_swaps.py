"""A swap under load is exact, and what must not serve never does."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.swaps import run


@pytest.mark.timeout(900)  # it waits for processes, which a busy machine holds up
def test_each_prediction_names_the_model_that_made_it_whatever_is_announced(
        kafka: KafkaAccess, tmp_path: Path) -> None:
    figures = run(kafka, tmp_path, full=False)
    assert figures.swaps == figures.epochs_seen == 40
    assert set(figures.bad) == {"duplicate", "stale", "second_best", "corrupt", "missing", "width", "not_onnx",
                                "pickle"}
    assert figures.rescored >= figures.predictions  # a killed worker's repeats are rescored too
