"""The page for analysts is true: its SQL answers, to the role that only reads, and its programs run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import psycopg
import pytest

from schemas.roles import READER
from tests.conftest import Backends
from tests.live import Live

PAGE = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
STATEMENTS = [s.strip() for block in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) for s in block.split(";\n")
              if s.strip()]
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def named(text: str, live: Live) -> str:
    return text.replace("payments.", f"{live.name}.").replace("'payments'", f"'{live.name}'")


def test_every_statement_of_the_page_answers_to_the_reader(stored: Live, backends: Backends) -> None:
    answers = {}
    with psycopg.connect(backends.database_url) as connection:
        connection.execute(f"set role {READER}".encode())
        for statement in STATEMENTS:
            answers[statement] = connection.execute(named(statement, stored).rstrip(";").encode()).fetchall()
    assert len(answers) == 8
    assert all(answers.values()), [statement for statement, rows in answers.items() if not rows]


def test_views_tell_each_event_once_and_quality_by_day_and_version(stored: Live, backends: Backends) -> None:
    with psycopg.connect(backends.database_url) as connection:
        def rows(query: str) -> list[tuple[object, ...]]:
            return connection.execute(query.replace("{}", f'"{stored.name}"').encode()).fetchall()

        assert rows("select count(*), count(distinct (entity, event_id)) from {}.latest_predictions") == [(11, 11)]
        assert rows("select day::text, version, rows, accuracy::float, mae from {}.quality_by_day order by 1") == [
            ("2026-01-30", "1", 1, 1.0, None), ("2026-01-31", "1", 2, 0.5, None)]
        assert rows("select feature, alarm, window_rows from {}.drift") == [("amount", True, 2)]
        assert rows("select feature, last_seen - first_seen, last_alarm = first_seen from {}.features") == [
            ("amount", 946_684_800_000, True)]


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_every_program_of_the_page_runs(stored: Live, backends: Backends, tmp_path: Path, program: str) -> None:
    (tmp_path / "january").mkdir()
    pl.DataFrame({"label": ["a"], "prediction": ["b"], "model_version": ["1"]}).write_parquet(
        tmp_path / "january" / "x.parquet")
    environment = os.environ | {"DATABASE_URL": backends.database_url,
                                "KAFKA_BOOTSTRAP_SERVERS": backends.kafka.servers}
    done = subprocess.run([sys.executable, "-c", named(program, stored)], env=environment, cwd=tmp_path, check=False,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    if "Consumer" in program:
        assert done.stdout == "13 predictions\n"
