"""Every statement of the dashboards answers, to the role that only reads, in the form that Grafana wants."""

import re
from datetime import datetime
from typing import Any

import psycopg
import pytest

from grafana.shipped import shipped
from schemas.roles import READER
from tests.conftest import Backends
from tests.grafana.conftest import NOW, WINDOWS
from tests.live import Live

HOUR = 3_600_000
DAY = 24 * HOUR
Row = tuple[Any, ...]
TARGETS = {f"{board['uid']}: {panel['title']} {target['refId']}": target
           for board in shipped() for panel in board["panels"] for target in panel.get("targets", ())
           if "rawSql" in target}
HEAT = next(target["rawSql"] for name, target in TARGETS.items() if "Which features moved" in name)
VARIABLES = {f"{board['uid']}: {variable['name']}": variable["query"]
             for board in shipped() for variable in board["templating"]["list"]
             if variable["type"] == "query" and variable["datasource"]["type"] == "grafana-postgresql-datasource"}


class Reader:
    """Asks as Grafana would."""

    def __init__(self, backends: Backends, live: Live) -> None:
        self._url, self._name = backends.database_url, live.name

    def ask(self, statement: str, until: int = NOW + DAY) -> tuple[list[str], list[Row]]:
        """Names of the columns, and rows, of the day before `until`; the tests may run hours after `NOW`."""
        with psycopg.connect(self._url) as connection:
            connection.execute(f"set role {READER}".encode())
            cursor = connection.execute(self._filled(statement, until).encode())
            return [column.name for column in cursor.description or ()], cursor.fetchall()

    def _filled(self, statement: str, until: int) -> str:
        values = {"${pipeline:raw}": self._name, "${feature:sqlstring}": "'amount','city'",
                  "$__from": str(until - DAY - HOUR), "$__to": str(until), "$__interval_ms": str(HOUR)}
        for variable, value in values.items():
            statement = statement.replace(variable, value)
        assert not re.search(r"\$[{_a-z]", statement), f"a variable is left in {statement}"
        return statement


@pytest.fixture
def reader(backends: Backends, recorded: Live) -> Reader:
    return Reader(backends, recorded)


def test_some_panels_ask_postgres() -> None:
    assert len(TARGETS) >= 10
    assert len(VARIABLES) == 2


@pytest.mark.parametrize("name", TARGETS)
def test_a_statement_answers_in_its_panels_form(reader: Reader, name: str) -> None:
    target = TARGETS[name]
    columns, rows = reader.ask(target["rawSql"])
    assert rows
    times = [row[0] for row in rows]
    assert all(isinstance(moment, datetime) for moment in times)
    if target["format"] == "time_series":
        assert columns == ["time", "metric", "value"]
        assert times == sorted(times)
        assert all(isinstance(row[1], str) and isinstance(float(row[2]), float) for row in rows)
    else:
        assert columns[0] == "time"
        assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_has_values(reader: Reader, name: str) -> None:
    assert sorted(reader.ask(VARIABLES[name])[1]) == [("amount",), ("city",)]


def test_a_cell_of_the_heat_map_is_the_largest_change_of_its_interval(reader: Reader) -> None:
    rows = reader.ask(HEAT)[1]
    assert len(rows) <= 2 * 2  # two features, and the reports may lie on either side of an hour
    assert max(value for _, feature, value in rows if feature == "amount") == pytest.approx(0.1 * WINDOWS)
    assert max(value for _, feature, value in rows if feature == "city") == 0


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_said_at_another_time_is_not_shown(reader: Reader, name: str) -> None:
    assert reader.ask(TARGETS[name]["rawSql"], until=NOW - 2 * DAY)[1] == []


def test_days_without_the_dashboards_time_are_not_read(reader: Reader) -> None:
    plan = "explain " + HEAT
    assert "messages_" in str(reader.ask(plan))
    assert "messages_" not in str(reader.ask(plan, until=NOW - 4 * DAY))
