"""NaN and infinity, sprinkled in, hide no drift and feign none."""

import math
from pathlib import Path
from typing import Any

import pytest

from kafka_access.access import KafkaAccess
from schemas.codec import EventCodec, decode
from schemas.messages import Prediction
from stream_apps.scoring import Scorer
from tests.chaos.not_finite import run
from tests.tiny import FakeRecord, event_bytes, serving, tiny_model, tiny_pipeline

WALL = 1_700_000_000_000


class Carrier(EventCodec):
    """An encoding that can carry what JSON cannot: 7 stands for the number under test."""

    def __init__(self, number: float) -> None:
        super().__init__(tiny_pipeline())
        plain = self.values
        self.values: Any = lambda features: tuple(number if value == 7 else value for value in plain(features))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_scored_and_counted_as_missing(number: float) -> None:
    models = serving(tiny_model())
    scorer = Scorer(tiny_pipeline(), "T", Carrier(number))
    chunk = scorer.run([FakeRecord(offset=0, timestamp=WALL, value=event_bytes("e", WALL, b=7)),
                        FakeRecord(offset=1, timestamp=WALL, value=event_bytes("e", WALL, b=None))], 0, models, WALL)
    strange, missing = (decode(value, Prediction) for _, value in chunk.predictions)
    assert chunk.rows.cells[0].tolist() == chunk.rows.cells[1].tolist()
    assert (strange.score, strange.features) == (missing.score, [0.5, None, "x"])


def test_windows_in_alarm_and_alerts_are_those_of_the_clean_run(kafka: KafkaAccess, tmp_path: Path) -> None:
    assert run(kafka, tmp_path, full=False).same
