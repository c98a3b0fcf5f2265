"""The trainer's environment."""

import pytest

from kafka_access.access import UnusableAccess
from telemetry.endpoint import Endpoint
from trainer.errors import MissingSetting
from trainer.settings import read_settings

ENVIRONMENT = {"AUTOML_STREAM_PIPELINE": "p.toml", "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
               "MLFLOW_TRACKING_URI": "http://mlflow"}


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises((MissingSetting, UnusableAccess), match=name):
        read_settings({key: value for key, value in ENVIRONMENT.items() if key != name})


def test_settings_have_their_defaults() -> None:
    settings = read_settings(ENVIRONMENT)
    assert (settings.instance, settings.metrics, settings.registry.artifact_root) == ("0", Endpoint(), None)
    assert (settings.kafka.servers, settings.kafka.client_id) == ("kafka:9092", "trainer-0")
