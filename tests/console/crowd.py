"""A pipeline of 500 features and 10,000 incidents, straight into its tables, with markup in every field that has words;
and a console of its own for it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
from psycopg import sql

from automl_stream.local_stack.ports import LOOPBACK, listens, unused_ports
from drift.profile import FeatureColumn, build_profile
from schemas.codec import encode
from schemas.messages import (
    Artifact,
    Configuration,
    DeadLetter,
    DriftAlert,
    DriftReport,
    FeatureDrift,
    Message,
    Model,
    ModelAnnouncement,
    TrainingDecision,
    Verdict,
    derived_id,
)
from schemas.pipeline import load_pipeline
from schemas.topics import (
    CONFIG,
    DEAD_LETTERS,
    DRIFT_ALERTS,
    DRIFT_STATS,
    MODEL_UPDATES,
    TRAINING_DECISIONS,
    Topic,
    topic_name,
)
from stream_apps.migrations.migrate import migrate
from tests.conftest import Backends
from tests.wait import wait_for

NAME, FEATURES, ALERTS, WINDOWS = "crowd", 500, 12_000, 60
SETTLED, JOINED = 10_000, 1_200  # incidents at their end, and alerts that joined the next one
MARKUP = "<img src=x onerror=alert(1)>"
TOKEN = "bob-knows-this-one-and-nobody-else"
START, SIZE = 1_769_817_600_000, 60_000
DEFINITION = '[pipeline]\nname = "{name}"\ntask = "binary"\n[windows]\nsize = "1m"\nmax_future = "1m"\n'
FEATURE = '[[features]]\nname = "{name}"\ntype = "number"\nowner = "{markup}"\ndescription = "{markup}"\n'


def names() -> list[str]:
    """Of the features; one is markup."""
    return [MARKUP, *(f"feature_{number:03}" for number in range(1, FEATURES))]


def definition_file(place: Path) -> Path:
    """The pipeline's file."""
    file = place / f"{NAME}.toml"
    features = "".join(FEATURE.format(name=name, markup=MARKUP) for name in names())
    file.write_text(DEFINITION.format(name=NAME) + features)
    return file


def fill(database_url: str, file: Path) -> None:
    """Make the tables and fill them."""
    pipeline, model = load_pipeline(file), Model(version=MARKUP, digest="m", epoch=0)
    migrate(database_url, NAME)
    profile = build_profile([FeatureColumn(name="a", kind="number", values=np.arange(200.0))])
    artifact = Artifact(digest=profile.digest, size=1, offset=0)
    with psycopg.connect(database_url) as connection:
        _predict(connection)
        _store(connection, DEAD_LETTERS, [DeadLetter(
            source=f"{MARKUP}-0-{number}", reason="malformed", detail=MARKUP, raw=MARKUP.encode(), record_ts=START,
            last_offset=number) for number in range(2_000)])
        _store(connection, DRIFT_STATS, [_report(number, pipeline.digest) for number in range(WINDOWS)])
        _audit(connection, DRIFT_ALERTS, [DriftAlert(
            alert_id=f"a{number}", kind="covariate", window_start=START, window_end=START + SIZE, scale=1, onset=START,
            features=[MARKUP], sentence=f"{MARKUP} moved", budget=MARKUP, profile="p", model=model, labelled_offset=0)
            for number in range(ALERTS)])
        _audit(connection, TRAINING_DECISIONS, list(_decisions()))
        _audit(connection, MODEL_UPDATES, [ModelAnnouncement(
            replaces=number - 1, version=MARKUP, model=artifact, profile=artifact, reason=MARKUP,
            decision_id=f"d{number}-promoted", issued_at=START) for number in range(100)])
        _audit(connection, CONFIG, [Configuration(
            text=file.read_text(), digest=pipeline.digest, replaces=number - 1, by=MARKUP, reason=MARKUP,
            labelled_offset=0, issued_at=START) for number in range(3)])


def incident_of(number: int) -> str:
    """Id of the incident that the alert of this number opened."""
    return derived_id("incident", f"a{number}")


def _decisions() -> Iterator[TrainingDecision]:
    """Of incidents that came to their end; then the last one goes on, and while it is paused nothing comes of the
    others."""
    def said(name: str, incident: str | None, verdict: Verdict, number: int) -> TrainingDecision:
        return TrainingDecision(decision_id=name, incident_id=incident, trigger=MARKUP, verdict=verdict,
                                reason=f"{MARKUP} for {number}", at=number, by=MARKUP, version=MARKUP)

    for number in range(SETTLED):
        for verdict in ("deferred", "promoted", "settled"):
            yield said(f"d{number}-{verdict}", incident_of(number), verdict, number)
    yield said(derived_id("alert", f"a{SETTLED}"), incident_of(SETTLED), "deferred", SETTLED)
    for number in range(SETTLED + 1, SETTLED + 1 + JOINED):
        yield said(derived_id("alert", f"a{number}"), incident_of(SETTLED), "suppressed", number)
    yield said("pause", None, "paused", SETTLED)
    for number in range(SETTLED + 1 + JOINED, ALERTS):
        yield said(derived_id("alert", f"a{number}"), None, "suppressed", number)


@contextmanager
def console(backends: Backends, *files: Path) -> Iterator[str]:
    """A console that shows these pipelines; its address."""
    ports = unused_ports()
    environment = os.environ | {
        "AUTOML_STREAM_PIPELINES": os.pathsep.join(map(str, files)), "DATABASE_URL": backends.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": backends.kafka.servers, "AUTOML_STREAM_TOKENS": f"bob:{TOKEN}",
        "AUTOML_STREAM_CONSOLE_PORT": str(ports.console)}
    process = subprocess.Popen([sys.executable, "-m", "console"], env=environment)
    url = f"http://{LOOPBACK}:{ports.console}"
    try:
        wait_for(lambda: listens(ports.console), 60)
        yield url
    finally:
        process.terminate()
        assert process.wait(timeout=2) == 0, "the console did not end in good order"


def _report(number: int, digest: str) -> DriftReport:
    alarmed = number % 10 == 9
    features = [FeatureDrift(
        name=name, rows=1_000, missing=0.01, ks=0.1, psi=0.2, jensen_shannon=0.01, effect=0.01 * place,
        log_p=-place / 40, lower_bound=0.005 * place, scale=1, contrast="location", calibrated=True,
        alarm=alarmed and not place, counts=[10] * 23) for place, name in enumerate(names())]
    return DriftReport(
        window_start=START + number * SIZE, window_end=START + (number + 1) * SIZE, profile="p", rows=1_000, covered={},
        pipeline_digest=digest, alarm=alarmed, verdict=f"{MARKUP} moved" if alarmed else "No drift in 1000 rows.",
        features=features)


def _store(connection: psycopg.Connection, topic: Topic, messages: Sequence[Message]) -> None:
    day = datetime.fromtimestamp(START / 1_000, UTC).date()
    schema = sql.Identifier(NAME)
    connection.execute(sql.SQL("select {}.open_day('messages', %s, null)").format(schema), [day])
    columns = "day, topic, partition, position, record_ts, key, value"
    copy = sql.SQL("copy {}.messages ({}) from stdin").format(schema, sql.SQL(columns))
    name = topic_name(NAME, topic)
    with connection.cursor().copy(copy) as rows:
        for position, message in enumerate(messages):
            rows.write_row((day, name, 0, position, START + position, _key(message), encode(message)))


def _predict(connection: psycopg.Connection) -> None:
    day = datetime.fromtimestamp(START / 1_000, UTC).date()
    schema = sql.Identifier(NAME)
    connection.execute(sql.SQL("select {}.open_day('predictions', %s, null)").format(schema), [day])
    connection.execute(sql.SQL("""
        insert into {}.predictions (source, source_day, partition, position, event_id, entity, ts, pipeline_digest,
          model_version, model_digest, model_epoch, prediction, score, features, scored_at)
        select 'topic-0-' || n, %s, 0, n, %s, %s || n, %s, '', %s, '', 0, %s, 0.5, '[]', %s
        from generate_series(1, 10000) n""").format(schema), [day, MARKUP, MARKUP, START, MARKUP, MARKUP, START])


def _audit(connection: psycopg.Connection, topic: Topic, messages: Sequence[Message]) -> None:
    copy = sql.SQL("copy {}.audit (topic, partition, position, record_ts, key, value, chain) from stdin").format(
        sql.Identifier(NAME))
    with connection.cursor().copy(copy) as rows:
        for position, message in enumerate(messages):
            number = message.at if isinstance(message, TrainingDecision) else position
            rows.write_row((topic_name(NAME, topic), 0, position, START + number, _key(message), encode(message), b""))


def _key(message: Message) -> bytes:
    match message:
        case TrainingDecision(decision_id=name) | DriftAlert(alert_id=name):
            return name.encode()
        case DriftReport(window_start=start):
            return str(start).encode()
        case _:
            return b""
