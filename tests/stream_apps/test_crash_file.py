"""What every death shares is suspected after the third, and nothing else; a life that passes it clears it."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_apps.crash_file import DEATHS, CrashFile, Range


class Death(BaseException):
    """The process ends: nothing after it runs."""


def rows(first: int, end: int, partition: int = 0, topic: str = "T") -> Range:
    return Range(topic, partition, first, end)


def die(directory: Path, over: Range) -> None:
    with suppress(Death), CrashFile(directory, "w").scoring(over):
        raise Death


def test_three_deaths_over_the_same_rows_make_suspects_and_two_do_not(tmp_path: Path) -> None:
    for _ in range(DEATHS - 1):
        die(tmp_path, rows(10, 20))
    assert not CrashFile(tmp_path, "w").suspected(rows(10, 20))
    die(tmp_path, rows(10, 20))
    assert CrashFile(tmp_path, "w").suspected(rows(10, 20))
    assert not CrashFile(tmp_path, "another").suspected(rows(10, 20))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 99), st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=DEATHS, max_size=6))
def test_whatever_the_chunks_of_the_deaths_the_row_in_all_of_them_is_suspected(
        tmp_path_factory: pytest.TempPathFactory, poison: int, around: list[tuple[int, int]]) -> None:
    directory = tmp_path_factory.mktemp("crash")
    for before, after in around:
        die(directory, rows(max(0, poison - before), poison + after))
    file = CrashFile(directory, "w")
    assert file.suspected(rows(poison, poison + 1))
    assert not file.suspected(rows(poison + 60, poison + 70))
    assert not file.suspected(rows(poison, poison + 1, partition=1))
    assert not file.suspected(rows(poison, poison + 1, topic="recreated"))


def test_rows_that_are_scored_at_last_are_no_suspects(tmp_path: Path) -> None:
    for _ in range(DEATHS):
        die(tmp_path, rows(10, 20))
    with CrashFile(tmp_path, "w").scoring(rows(10, 40)):
        pass
    CrashFile(tmp_path, "w").acquit(rows(10, 40))
    assert not CrashFile(tmp_path, "w").suspected(rows(10, 20))


def test_rows_that_follow_those_that_were_scored_are_suspects_still(tmp_path: Path) -> None:
    for _ in range(DEATHS):
        die(tmp_path, rows(10, 20))
    CrashFile(tmp_path, "w").acquit(rows(10, 14))
    file = CrashFile(tmp_path, "w")
    assert not file.suspected(rows(10, 14))
    assert file.suspected(rows(14, 20))


@pytest.mark.parametrize("damage", [bytes(128), b"{", b'[{"rows":1}]'])
def test_a_note_that_a_dying_machine_left_is_forgotten(tmp_path: Path, damage: bytes) -> None:
    for name in ("w.scoring", "w.suspects"):
        (tmp_path / name).write_bytes(damage)
    assert not CrashFile(tmp_path, "w").suspected(rows(0, 9))


def test_a_worker_that_is_stopped_while_it_scores_has_not_died(tmp_path: Path) -> None:
    for _ in range(DEATHS):
        with suppress(asyncio.CancelledError), CrashFile(tmp_path, "w").scoring(rows(10, 20)):
            raise asyncio.CancelledError
    assert not CrashFile(tmp_path, "w").suspected(rows(10, 20))
