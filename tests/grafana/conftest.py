"""A pipeline whose recorder has stored what the dashboards ask PostgreSQL for."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from schemas.messages import (
    Artifact,
    DriftAlert,
    DriftReport,
    FeatureDrift,
    Model,
    ModelAnnouncement,
    Quality,
    QualityReport,
    TrainingDecision,
)
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, MODEL_UPDATES, QUALITY, TRAINING_DECISIONS
from tests.conftest import Backends
from tests.live import Live

WINDOW = 5_000
WINDOWS = 6
NOW = int(time.time() * 1_000) // WINDOW * WINDOW
ARTIFACT = Artifact(digest="d" * 64, size=1, offset=0)


def report(number: int) -> DriftReport:
    """Of a window in which one number drifts and one category stays; half of the number's values are missing."""
    end = NOW - (WINDOWS - number) * WINDOW
    still = {"rows": 100, "scale": 1, "contrast": "location", "calibrated": True, "jensen_shannon": 0.1, "psi": 0.2}
    amount = FeatureDrift(name="amount", missing=0.5, ks=0.3, effect=-0.1 * number, lower_bound=0.05 * number,
                          log_p=-number, alarm=number == WINDOWS, **still)
    city = FeatureDrift(name="city", missing=0.0, ks=None, effect=0.0, lower_bound=0.0, log_p=-0.5, alarm=False,
                        **still)
    return DriftReport(window_start=end - WINDOW, window_end=end, profile="p", rows=100, covered={},
                       pipeline_digest="x", alarm=number == WINDOWS, verdict="amount moved", features=[amount, city])


@pytest.fixture(scope="package")
def recorded(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(backends.kafka, tmp_path_factory.mktemp("grafana"))
    live.start("record", DATABASE_URL=backends.database_url)
    live.say(DRIFT_STATS, *(report(number) for number in range(1, WINDOWS + 1)))
    live.say(QUALITY, QualityReport(
        first=0, last=9, window_start=NOW - WINDOW, window_end=NOW, left_out=0, classes=[], previous=None,
        pipeline_digest="x", qualities=[Quality(rows=10, accuracy=0.8), Quality(rows=10, accuracy=0.8, version="1"),
                                        Quality(rows=5, accuracy=0.6, feature="city", value="a")]))
    live.say(DRIFT_ALERTS, DriftAlert(
        alert_id="a", kind="covariate", window_start=NOW - WINDOW, window_end=NOW, scale=1, onset=NOW - 2 * WINDOW,
        features=["amount"], sentence="amount moved", budget="", profile="p", labelled_offset=0,
        model=Model(version="1", digest="m", epoch=0)))
    live.say(TRAINING_DECISIONS, TrainingDecision(decision_id="d", incident_id="i", trigger="alert", at=0,
                                                  verdict="promoted", reason="better", version="2"))
    live.say(MODEL_UPDATES, ModelAnnouncement(replaces=-1, version="2", model=ARTIFACT, profile=ARTIFACT,
                                              reason="better", decision_id="d", issued_at=NOW))
    with psycopg.connect(backends.database_url, autocommit=True) as connection:
        def found(table: str) -> int:
            row = connection.execute(f'select count(*) from "{live.name}".{table}'.encode()).fetchone()
            return int(row[0]) if row else 0

        live.until(lambda: found("messages") == WINDOWS + 1, "messages")
        live.until(lambda: found("audit") == 3, "the audit")
        yield live
        live.close()
        connection.execute(f'drop schema "{live.name}" cascade'.encode())
