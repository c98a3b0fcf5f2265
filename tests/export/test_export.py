"""What is exported is each event once, in files of a bounded size, and nothing is overwritten."""

import sys
from pathlib import Path

import polars as pl
import pytest

from automl_stream.cli import main
from automl_stream.export import days
from tests.conftest import Backends
from tests.live import Live


class Shell:
    """`automl-stream export` on the stored pipeline."""

    def __init__(self, live: Live, out: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._live, self.out, self._capsys, self._patch = live, out, capsys, patch

    def run(self, *arguments: str) -> tuple[object, str]:
        argv = ["automl-stream", "export", str(self._live.file), "--out", str(self.out), *arguments]
        self._patch.setattr(sys, "argv", argv)
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err


@pytest.fixture
def shell(stored: Live, backends: Backends, tmp_path: Path, capsys: pytest.CaptureFixture[str],
          monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("DATABASE_URL", backends.database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", backends.kafka.servers)
    return Shell(stored, tmp_path / "out", capsys, monkeypatch)


def test_parquet_has_each_event_once_with_its_label_and_typed_features(shell: Shell) -> None:
    assert shell.run() == (0, f"11 rows of 2 days in 2 files under {shell.out}\n")
    table = pl.read_parquet(shell.out / "*.parquet").sort("ts")
    assert table["event_id"].to_list() == [f"e{k}" for k in range(11)]
    assert table["source"].to_list() == [f"T-0-{k}" for k in range(11)]
    assert table["label"].to_list() == ["no", "no", None, "yes", *[None] * 7]
    assert table["feature.a"].to_list() == [*(k + 0.5 for k in range(10)), None]  # the last: of another pipeline file
    assert (table.schema["feature.b"], table.schema["feature.c"]) == (pl.Float64, pl.String)
    assert table["features"][10] == '[10.5, null, "x"]'
    assert table["probabilities"][0].to_list() == [0.25, 0.75]
    assert sorted(path.name for path in shell.out.iterdir()) == ["2026-01-30-0000.parquet", "2026-01-31-0000.parquet"]


def test_a_day_of_many_rows_is_cut_into_files_that_fit_into_memory(
        shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "ROWS", 2)
    assert shell.run("--from", "2026-01-31", "--format", "csv")[0] == 0
    assert [pl.read_csv(path).height for path in sorted(shell.out.iterdir())] == [2, 2, 1]
    assert pl.read_csv(shell.out / "*.csv")["probabilities"].unique().to_list() == ["[0.25,0.75]"]


def test_only_the_days_that_were_asked_for_are_written(shell: Shell) -> None:
    assert shell.run("--from", "2026-01-30", "--to", "2026-01-30")[1].startswith("6 rows of 1 days")
    shell.out = shell.out.with_name("none")
    assert shell.run("--to", "2026-01-29")[1].startswith("0 rows of 0 days")


def test_what_is_there_is_not_overwritten(shell: Shell) -> None:
    shell.out.mkdir()
    (shell.out / "mine").write_text("x")
    code, text = shell.run()
    assert (code, "exists and is not empty; name another with --out" in text) == (2, True)
    assert [path.name for path in shell.out.iterdir()] == ["mine"]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--from", "yesterday"), "--from 'yesterday' is no day; expected one such as 2026-01-31"),
    (("--from", "2026-02-01", "--to", "2026-01-31"), "--from 2026-02-01 is after --to 2026-01-31; exchange them")])
def test_days_that_make_no_sense_are_named(shell: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    code, text = shell.run(*arguments)
    assert (code, text) == (2, f"Error: {sentence}\n")
