"""A pipeline whose recorder has stored predictions of two days; two events were delivered twice, three have labels."""

from collections.abc import Iterator

import psycopg
import pytest

from schemas.codec import encode
from schemas.messages import (
    DriftAlert,
    DriftReport,
    FeatureDrift,
    FeatureValue,
    Model,
    Prediction,
    QualityReport,
    TrainingDecision,
)
from schemas.pipeline import load_pipeline
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, PREDICTIONS, QUALITY, TRAINING_DECISIONS
from tests.conftest import Backends
from tests.live import Live
from tests.tiny import definition

START = 946_684_800_000
DAYS = ("2026-01-30", "2026-01-31")
MODEL = Model(version="1", digest="m", epoch=0)


def said(number: int, digest: str, offset: int | None = None) -> Prediction:
    """The prediction of event `number`; `offset`: of a delivery that is not its first."""
    offset = number if offset is None else offset
    features: list[FeatureValue] = [number + 0.5, None, "x"]
    return Prediction(event_id=f"e{number}", entity=f"card-{7 + number % 3}", ts=START + number, source=f"T-0-{offset}",
                      source_day=DAYS[number % 2], pipeline_digest=digest, model=MODEL, features=features,
                      prediction="yes" if number % 2 else "no", score=0.75, probabilities=[0.25, 0.75], scored_at=7)


@pytest.fixture(scope="package")
def stored(backends: Backends, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(backends.kafka, tmp_path_factory.mktemp("export"), definition)
    digest = load_pipeline(live.file).digest
    predictions = [*(said(k, digest) for k in range(10)), said(3, digest, 11), said(4, digest, 12),
                   said(10, "older", 10)]
    live.start("record", DATABASE_URL=backends.database_url)
    live.write(PREDICTIONS, 0, *map(encode, predictions), key=b"k")
    drift = FeatureDrift(name="amount", rows=2, missing=0.0, ks=None, psi=0.1, jensen_shannon=None, effect=0.5,
                         lower_bound=0.25, log_p=-3.5, scale=1, contrast="location", calibrated=True, alarm=True)
    live.say(DRIFT_STATS, DriftReport(window_start=0, window_end=START, profile="p", rows=2, covered={}, alarm=True,
                                      pipeline_digest=digest, verdict="amount moved", features=[drift]))
    live.say(QUALITY, QualityReport(first=0, last=1, window_start=0, window_end=1, qualities=[], left_out=0, classes=[],
                                    previous=None, pipeline_digest=digest))
    live.say(DRIFT_ALERTS, DriftAlert(alert_id="a", kind="covariate", window_start=0, window_end=START, scale=1,
                                      onset=0, features=["amount"], sentence="amount moved", budget="",
                                      profile="p", model=MODEL, labelled_offset=0))
    live.say(TRAINING_DECISIONS, TrainingDecision(decision_id="d", incident_id=None, trigger="refresh", at=0,
                                                  verdict="suppressed", reason="not now"))
    with psycopg.connect(backends.database_url, autocommit=True) as connection:
        def found(query: str) -> int:
            row = connection.execute(query.replace("{}", f'"{live.name}"').encode()).fetchone()
            return int(row[0]) if row else 0

        live.until(lambda: found("select count(*) from {}.predictions") == 13, "predictions")
        live.until(lambda: found("select count(*) from {}.messages") == 2, "messages")
        live.until(lambda: found("select count(*) from {}.audit") == 2, "the audit")
        for number, label in ((0, "no"), (1, "no"), (3, "yes")):
            connection.execute(f'insert into "{live.name}".labels (entity, event_id, ts, label, revision, labeller, '
                               "partition) values (%s, %s, 5, to_jsonb(%s::text), 0, 'ada', 0)".encode(),
                               [f"card-{7 + number % 3}", f"e{number}", label])
        yield live
        live.close()
        connection.execute(f'drop schema "{live.name}" cascade'.encode())
