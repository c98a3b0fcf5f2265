"""Who asks, who streams and who fitted the model are told the same."""

from pathlib import Path

import pytest

from kafka_access.access import KafkaAccess
from tests.chaos.agreement import run


@pytest.mark.filterwarnings("default")  # the converters' own libraries warn about each other
@pytest.mark.timeout(600)
def test_api_stream_and_the_original_model_agree(kafka: KafkaAccess, tmp_path: Path) -> None:
    assert run(kafka, tmp_path, full=False).rows > 3_000
