"""The secrets of a whole loop are found nowhere: no log, metric, topic, table, argument or error message has one."""

import os
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from psycopg import sql

from automl_stream.local_stack.mlflow import DATABASE
from schemas.topics import MODEL_ARTIFACTS, TOPICS
from tests.kafka_access.conftest import DOORS, MODULES, Loop, answers

pytestmark = pytest.mark.timeout(1800)

Place = tuple[str, bytes]  # where it is, and what is there


def leaks(places: Iterator[Place], secrets: dict[str, str]) -> list[str]:
    """Whose secret is where: as it is, in hex (PostgreSQL's bytes) or in base64 (a dead letter's)."""
    needles = [(owner, spellings(secret.encode())) for owner, secret in secrets.items()]
    return [f"{owner}'s secret in {where}" for where, content in places for owner, spelled in needles
            if any(needle in content for needle in spelled)]


def spellings(secret: bytes) -> set[bytes]:
    """Base64 depends on what stands before: of each of three beginnings the part that does not."""
    encoded = {b64encode(b"\0" * before + secret)[4 if before else 0:-4] for before in range(3)}
    return {secret, secret.hex().encode(), *encoded}


def files(loop: Loop) -> Iterator[Place]:
    """Logs, the registry and its artifacts, state."""
    for path in loop.directory.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


def pages(loop: Loop) -> Iterator[Place]:
    """What every service shows of itself."""
    for service, port in loop.metrics.items():
        for page in ("metrics", "healthz"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30) as answer:
                yield f"{page} of {service}", answer.read()


def records(loop: Loop) -> Iterator[Place]:
    """Every record of every topic."""
    for topic in TOPICS:
        for record in loop.live.records(topic):
            headers = b"".join(name.encode() + value for name, value in record.headers)
            yield f"{topic.name} {record.partition}/{record.offset}", b" ".join(
                (record.key or b"", record.value or b"", headers))


def rows(loop: Loop) -> Iterator[Place]:
    """Every row of every table of the pipeline, and of MLflow's."""
    mlflow = urlsplit(loop.whole_database_url)._replace(path=f"/{DATABASE}").geturl()
    for url, schema in ((loop.whole_database_url, loop.live.name), (mlflow, "public")):
        with psycopg.connect(url) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = %s", [schema]).fetchall()
            assert tables
            for (table,) in tables:
                place = sql.Identifier(schema, table)
                for (row,) in connection.execute(sql.SQL("select t::text from {} t").format(place)):
                    yield f"table {table}", row.encode()


def arguments(_: Loop) -> Iterator[Place]:
    """Of this process's descendants, among them every service; brokers and databases of the tests are not ours."""
    for process in psutil.Process().children(recursive=True):
        command = process.cmdline()
        if any(module in command for module in (MODULES | DOORS).values()):
            yield f"arguments of {process.pid}", " ".join(command).encode()


@pytest.fixture(scope="package")
def asked(loop: Loop) -> None:
    """Callers have shown their token at the doors, rightly and wrongly."""
    token = loop.secrets["caller"]
    paths = {"producers": "/events", "predict": "/predict"}
    for service, path in paths.items():
        place = loop.door(service, path)
        assert answers(place, b"{", Authorization=f"Bearer {token}") == HTTPStatus.BAD_REQUEST
        for wrong in (f"Bearer {token}x", f"Basic {token}", token):
            assert answers(place, b"{", Authorization=wrong) == HTTPStatus.UNAUTHORIZED
        assert answers(f"{place}?token={token}", b"{") == HTTPStatus.UNAUTHORIZED


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("look", [files, pages, records, rows, arguments], ids=lambda f: f.__name__)
def test_no_secret_of_the_loop_is_found(loop: Loop, look: object) -> None:
    places = list(look(loop))  # type: ignore[operator]
    assert places
    assert leaks(iter(places), loop.secrets) == []


def test_a_secret_that_is_there_is_found_however_it_is_spelled(loop: Loop) -> None:
    secret = b"planted-0123456789abcdef"
    # Bytes of no announced artifact: nobody takes them for anything.
    offset = loop.live.write(MODEL_ARTIFACTS, 0, b64encode(b"<" + secret + b">"), key=b"planted/0")
    assert leaks(records(loop), {"mole": secret.decode()}) == [f"mole's secret in model-artifacts 0/{offset}"]
    for content in (secret, b"\\x3c" + secret.hex().encode(), b64encode(b"12" + secret), b64encode(secret)):
        assert leaks(iter([("x", b"a " + content + b" b")]), {"mole": secret.decode()}) == ["mole's secret in x"]


WRONG = {
    "nobody there": {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
    "a protocol that is none": {"KAFKA_SECURITY_PROTOCOL": "TLS"},
    "a password beside plaintext": {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"},
    "an authority that is none": {"KAFKA_SSL_CA_LOCATION": os.devnull},
    "both ways of a password": {"KAFKA_SASL_PASSWORD": "{kafka}"},
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_no_error_of_a_command_names_a_secret(loop: Loop, wrong: dict[str, str]) -> None:
    settings = {name: value.format(kafka=loop.broker.passwords["operator"]) for name, value in wrong.items()}
    failed = loop.command("operator", "models", "list", str(loop.live.file), **settings)
    assert failed.returncode in (1, 2)
    assert failed.stderr
    assert leaks(iter([("stderr", failed.stderr.encode())]), loop.secrets) == []


@pytest.mark.parametrize("change", ["host", "password", "scheme", "port"])
def test_no_error_about_postgresql_names_a_secret(loop: Loop, change: str) -> None:
    url = urlsplit(loop.database_url)
    password = loop.secrets["PostgreSQL"]
    wrong = {
        "host": url._replace(netloc=f"{url.username}:{password}@127.0.0.1:1").geturl(),
        "password": url._replace(netloc=f"nobody:{password}@{url.hostname}:{url.port}").geturl(),
        "scheme": loop.database_url.replace("postgresql://", "postgresq://"),
        "port": url._replace(netloc=f"{url.username}:/{password}@{url.hostname}").geturl(),
    }[change]
    failed = loop.command("operator", "verify", "--pipeline", str(loop.live.file), "--wait", "0", DATABASE_URL=wrong)
    assert failed.returncode == 2, failed.stdout + failed.stderr
    assert leaks(iter([("stderr", failed.stderr.encode())]), loop.secrets) == []


def test_the_authority_and_the_passwords_lie_outside_of_what_is_looked_at(loop: Loop) -> None:
    assert not Path(loop.broker.authority.file).is_relative_to(loop.directory)
