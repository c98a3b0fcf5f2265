"""The command says one sentence where it cannot go on; what it finds goes to a table, to JSON and to a page."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from automl_stream.backtest import command as commands
from automl_stream.backtest import replay
from automl_stream.backtest.command import load_policies, progress_bar, rows_trained
from automl_stream.backtest.replay import Plan
from automl_stream.backtest.result import Result
from automl_stream.cli import main
from automl_stream.wrong_use import WrongUse
from producers.rows import Row
from schemas.pipeline import Pipeline
from tests.backtest.results import result

PIPELINE = """
[pipeline]
name = "tiny"
task = "binary"
[replay]
label = "left"
[windows]
size = "50s"
[retraining]
refresh_labels = 300
families = ["logistic"]
windows = ["all"]
[[features]]
name = "calls"
type = "number"
"""
ROWS, CHANGE = 1_500, 900
Command = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with 1,500 rows whose only feature moves at row 900, their truth, and a pipeline file."""
    random = np.random.default_rng(0)
    calls = random.normal(size=ROWS) + 2.0 * (np.arange(ROWS) >= CHANGE)
    left = random.random(ROWS) < 1 / (1 + np.exp(-calls))
    lines = [f"{value:.4f},{'yes' if label else 'no'}" for value, label in zip(calls, left, strict=True)]
    (tmp_path / "tiny.csv").write_text("\n".join(["calls,left", *lines]) + "\n")
    (tmp_path / "tiny.toml").write_text(PIPELINE)
    (tmp_path / "tiny.truth.json").write_text(json.dumps({"documented": [CHANGE]}))
    return tmp_path


@pytest.fixture
def command(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run it in the folder; returns its stdout, or raises SystemExit with the stderr."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["automl-stream", "backtest", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        if ended.value.code:
            raise SystemExit(f"{ended.value.code} {printed.err}{printed.out}")
        return printed.out

    return run


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Plan, Pipeline]]:
    """What the core is asked for; it answers at once."""
    asked: list[tuple[Plan, Pipeline]] = []

    def answer(_rows: Iterable[Row], pipeline: Pipeline, plan: Plan, on_progress: Callable[[int], None]) -> Result:
        asked.append((plan, pipeline))
        on_progress(ROWS)
        return replace(result(policy=plan.policy), pipeline=pipeline.name)

    monkeypatch.setattr(replay, "backtest", answer)
    return asked


def test_a_file_is_replayed_and_its_change_found(command: Command, place: Path) -> None:
    out = command("tiny.csv", "--pipeline", "tiny.toml", "--json", "--html", "page.html")
    found = json.loads(out.splitlines()[-1])
    assert (found["rows"], found["rows_trained"], found["policy"]) == (ROWS, ROWS // 5, "default")
    assert found["windows"] == 24
    assert found["alerts"][0]["features"] == ["calls"]
    assert found["alerts"][0].keys() >= {"window_start", "row", "kind", "features", "onset_row"}
    assert found["false_alarms"] == 0
    assert 0 < found["delay_rows"][str(CHANGE)] <= 350
    assert found["retrainings"] > 0
    assert 0.5 < found["accuracy"] < 1
    assert "plotly.js" in (place / "page.html").read_text("utf-8")


def test_without_json_it_prints_the_table(command: Command, plans: list[tuple[Plan, Pipeline]]) -> None:
    assert "0.9000 (0.8000)" in command("tiny.csv", "--pipeline", "tiny.toml")
    assert [plan.policy for plan, _ in plans] == ["default"]


def test_each_policy_is_asked_for_and_answered_under_its_name(command: Command, place: Path,
                                                              plans: list[tuple[Plan, Pipeline]]) -> None:
    (place / "eager.toml").write_text("[retraining]\nrefresh_labels = 50\n")
    (place / "patient.toml").write_text('[drift]\nfalse_alarms = "1 in 10000 windows"\n')
    out = command("tiny.csv", "--pipeline", "tiny.toml", "--policy", "eager.toml", "--policy", "patient.toml", "--json")
    assert list(json.loads(out)["policies"]) == ["eager", "patient"]
    assert [(plan.policy, pipeline.retraining.refresh_labels) for plan, pipeline in plans] == [
        ("eager", 50), ("patient", 300)]


def test_options_reach_the_core(command: Command, plans: list[tuple[Plan, Pipeline]]) -> None:
    command("tiny.csv", "--pipeline", "tiny.toml", "--first-rows", "400", "--label-delay", "7")
    plan = plans[0][0]
    assert (plan.rows_trained, plan.label_delay_rows) == (400, 7)
    assert plan.truth is not None
    assert plan.truth.documented == [CHANGE]


def test_a_named_truth_goes_before_the_one_beside(command: Command, place: Path,
                                                  plans: list[tuple[Plan, Pipeline]]) -> None:
    (place / "other.json").write_text('{"documented": [1000]}')
    command("tiny.csv", "--pipeline", "tiny.toml", "--truth", "other.json")
    assert plans[0][0].truth is not None
    assert plans[0][0].truth.documented == [1_000]


def test_a_truth_that_nobody_has_looked_for_is_unknown(command: Command, place: Path,
                                                       plans: list[tuple[Plan, Pipeline]]) -> None:
    (place / "tiny.truth.json").write_text('{"documented": []}')
    command("tiny.csv", "--pipeline", "tiny.toml")
    assert plans[0][0].truth is None


def test_the_pipeline_file_is_found_by_the_stem(command: Command, place: Path,
                                                plans: list[tuple[Plan, Pipeline]]) -> None:
    (place / "pipelines").mkdir()
    (place / "tiny.toml").rename(place / "pipelines" / "tiny.toml")
    command("tiny.csv")
    assert plans[0][1].name == "tiny"


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["nowhere.csv"], "nowhere.csv: there is no such file"),
    (["tiny.toml"], "'.toml' is not an ending that can be read"),
    (["tiny.csv", "--pipeline", "nowhere.toml"], "nowhere.toml: cannot be read"),
    (["tiny.csv", "--pipeline", "wide.toml"], "mails"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--policy", "nowhere.toml"], "nowhere.toml: cannot be read"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--policy", "wide.toml"], "wide.toml: key 'pipeline' is not a policy's"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--policy", "a/x.toml", "--policy", "b/x.toml"], "have the same stem"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--truth", "nowhere.json"], "nowhere.json: cannot be read"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--truth", "tiny.csv"], "tiny.csv: is no truth file"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--html", "nowhere/page.html"], "there is no folder nowhere"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--html", "."], "--html .: is a folder"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--first-rows", "many"], "--first-rows many: allowed are"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--label-delay", "-1"], "--label-delay"),
    ([], "give a FILE, or --topic"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--since", "2h"], "--since and --last need --topic"),
    (["tiny.csv", "--pipeline", "tiny.toml", "--last", "2000"], "--since and --last need --topic"),
    (["tiny.csv", "--topic", "--pipeline", "tiny.toml"], "leave out tiny.csv, or --topic"),
    (["--topic"], "--topic needs --pipeline"),
    (["--topic", "--pipeline", "nowhere.toml"], "nowhere.toml: cannot be read"),
    (["--topic", "--pipeline", "tiny.toml", "--since", "soon"], "--since: 'soon' is no time"),
    (["--topic", "--pipeline", "tiny.toml", "--last", "0"], "--last"),
    (["--topic", "--pipeline", "tiny.toml"], "KAFKA_BOOTSTRAP_SERVERS is not set and nothing runs in"),
])
def test_wrong_use_is_one_sentence_before_anything_runs(arguments: list[str], sentence: str, command: Command,
                                                        place: Path, plans: list[tuple[Plan, Pipeline]]) -> None:
    (place / "wide.toml").write_text(PIPELINE + '[[features]]\nname = "mails"\ntype = "number"\n')
    with pytest.raises(SystemExit) as ended:
        command(*arguments)
    assert str(ended.value).startswith("2 ")
    assert sentence in str(ended.value)
    assert plans == []


def test_detectors_without_their_library_are_refused_before_anything_runs(
        command: Command, place: Path, plans: list[tuple[Plan, Pipeline]], monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "watched.toml").write_text('[drift]\ndetectors = ["adwin"]\n')
    monkeypatch.setitem(sys.modules, "river", None)
    with pytest.raises(SystemExit, match=r"2 Error: detector 'adwin' needs the extra .*automl-stream\[detectors\]"):
        command("tiny.csv", "--pipeline", "tiny.toml", "--policy", "watched.toml")
    assert plans == []


def test_a_page_without_plotly_is_refused_before_anything_runs(command: Command, plans: list[tuple[Plan, Pipeline]],
                                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda _name: None)
    with pytest.raises(SystemExit, match="2 Error: --html needs plotly; install"):
        command("tiny.csv", "--pipeline", "tiny.toml", "--html", "page.html")
    assert plans == []


@pytest.mark.parametrize(("text", "rows"), [("400", 400), ("0.2", 300), (".5", 750), ("20%", 300), ("12.5%", 187)])
def test_first_rows_are_a_number_or_a_share(text: str, rows: int) -> None:
    assert rows_trained(text, ROWS) == rows


@pytest.mark.parametrize("text", ["0", "0.0", "1500", "100%", "1.5", "0.0001"])
def test_first_rows_leave_rows_on_both_sides(text: str) -> None:
    with pytest.raises(WrongUse, match="nothing to train on or nothing to replay"):
        rows_trained(text, ROWS)


@pytest.mark.parametrize("text", ["", "-5", "half", "nan", "1e3", "20 %", "1_000"])
def test_other_first_rows_are_refused(text: str) -> None:
    with pytest.raises(WrongUse, match="allowed are"):
        rows_trained(text, ROWS)


def test_without_policies_the_pipeline_stands_as_it_is(place: Path) -> None:
    assert list(load_policies(place / "tiny.toml", [])) == ["default"]


@pytest.mark.parametrize(("silent", "shown"), [(False, True), (True, False)])
def test_progress_is_shown_on_stderr_alone_and_not_beside_json(silent: bool, shown: bool,
                                                              monkeypatch: pytest.MonkeyPatch,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")  # rich takes the captured stderr for a terminal
    with progress_bar("eager", ROWS, silent=silent) as heard:
        heard(ROWS)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (f"{ROWS}/{ROWS}" in printed.err) == shown
    assert bool(printed.err) == shown
