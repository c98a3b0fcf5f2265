"""The command line says one sentence and exits with the right code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from automl_stream.local_stack.errors import MissingLibrary, NotEnoughDisk
from automl_stream.local_stack.preflight import require_disk, require_libgomp
from automl_stream.local_stack.stack import mask

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-c", "from automl_stream.cli import main; main()", *arguments, "--home", str(home)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_status_of_an_empty_home_is_found_wanting_in_json(tmp_path: Path) -> None:
    result = run("status", "--json", home=tmp_path)
    assert result.returncode == 1
    assert json.loads(result.stdout) == {"running": False, "parent": None, "services": []}


def test_down_of_an_empty_home_is_well(tmp_path: Path) -> None:
    result = run("down", home=tmp_path)
    assert (result.returncode, result.stderr) == (0, f"Nothing runs in {tmp_path}.\n")


def test_logs_of_an_unknown_service_is_wrong_use(tmp_path: Path) -> None:
    result = run("logs", "nobody", home=tmp_path)
    assert result.returncode == 2
    assert "There is no log of 'nobody'" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_impossible_port_is_wrong_use(tmp_path: Path) -> None:
    assert run("up", "--kafka-port", "70000", home=tmp_path).returncode == 2


def test_logs_shows_the_end_of_every_log(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kafka.log").write_text("started\n")
    result = run("logs", home=tmp_path)
    assert (result.returncode, result.stdout) == (0, "kafka | started\n")


def test_help_imports_nothing_heavy() -> None:
    heavy = {"confluent_kafka", "psycopg", "mlflow", "jgo", "psutil", "numpy", "msgspec"}
    code = f"import sys, automl_stream.cli; sys.exit(' '.join({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == "\n"


def test_too_little_disk_is_one_sentence_that_names_the_directory(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDisk, match=f"{tmp_path} has .* GiB free and .* are needed"):
        require_disk(tmp_path, needed=2**70)


def test_a_missing_libgomp_is_one_sentence_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", refuse)
    with pytest.raises(MissingLibrary, match="apt-get install libgomp1"):
        require_libgomp()


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:secret@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("https://me:secret@mlflow.example", "https://me:***@mlflow.example"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("broker:9092,other:9092", "broker:9092,other:9092"),
    ],
)
def test_passwords_are_masked(url: str, masked: str) -> None:
    assert mask(url) == masked
