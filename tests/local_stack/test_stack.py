"""Addresses come from the environment where it names them, and must answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from automl_stream.local_stack.errors import NotAnswering, PrivilegeError
from automl_stream.local_stack.ports import Ports
from automl_stream.local_stack.stack import choose_addresses, require_answers
from automl_stream.local_stack.unprivileged import Unprivileged

EXTERNAL = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/x",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
}


def test_what_the_environment_names_is_used(tmp_path: Path) -> None:
    addresses = choose_addresses(tmp_path, Ports(), EXTERNAL)
    assert addresses.environment() == EXTERNAL
    assert addresses.artifact_root is None
    assert list(tmp_path.iterdir()) == []


def test_what_it_does_not_name_is_ours_with_a_random_password_in_a_private_file(tmp_path: Path) -> None:
    addresses = choose_addresses(tmp_path, Ports(), {})
    password = (tmp_path / "postgres.password").read_text()
    assert (tmp_path / "postgres.password").stat().st_mode & 0o777 == 0o600
    assert addresses.database_url == f"postgresql://automl_stream:{password}@127.0.0.1:15432/automl_stream"
    assert addresses.mlflow_uri == f"postgresql+psycopg://automl_stream:{password}@127.0.0.1:15432/mlflow"
    assert addresses.environment()["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == str(tmp_path / "mlflow-artifacts")
    writer = (tmp_path / "postgres-writer.password").read_text()
    assert (tmp_path / "postgres-writer.password").stat().st_mode & 0o777 == 0o600
    services = f"postgresql://automl_stream_writer:{writer}@127.0.0.1:15432/automl_stream"
    assert addresses.environment()["DATABASE_URL"] == services
    assert writer != password
    assert not any(secret in str(addresses.masked()) for secret in (password, writer))
    assert choose_addresses(tmp_path, Ports(), {}) == addresses


@pytest.mark.parametrize("variable", list(EXTERNAL))
def test_an_address_that_does_not_answer_is_one_sentence_without_its_password(variable: str) -> None:
    with pytest.raises(NotAnswering, match=rf"\({variable}\) does not answer within 5 s: .* unset {variable}") as error:
        require_answers({variable: EXTERNAL[variable]})
    assert "secret" not in str(error.value)


def test_an_unreachable_directory_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    nobody = Unprivileged(prefix=("false",), uid=os.geteuid(), gid=os.getegid())
    with pytest.raises(PrivilegeError, match="run automl-stream as an ordinary user"):
        nobody.require_reach(Path("/bin/sh"), tmp_path)
