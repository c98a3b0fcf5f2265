"""The whole loop, end to end: nothing lost, the model healed, the same result through crashes."""

import json
import os
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import to_builtins

from automl_stream.local_stack.status import read_status
from automl_stream.verify.command import reachable
from automl_stream.verify.loading import load
from automl_stream.verify.recording import Recording
from automl_stream.verify.verdict import judge
from schemas.codec import decode
from schemas.messages import DriftReport
from schemas.pipeline import load_pipeline
from schemas.topics import DRIFT_STATS
from tests.demo.conftest import ROWS, Demo, command
from tests.verify.test_verdict import MUTATIONS
from tests.wait import wait_for

pytestmark = pytest.mark.timeout(600)  # whole demos, on a machine that may be busy


def test_a_free_run_dead_letters_a_bad_row_and_loses_nothing(start_demo: Callable[..., Demo], payments: Path) -> None:
    lines = (payments / "payments.csv").read_text().splitlines()
    card, _, rest = lines[3_000].split(",", 2)
    lines[3_000] = f"{card},much,{rest}"
    (payments / "misfit.csv").write_text("\n".join(lines) + "\n")
    demo = start_demo("free", "--no-lockstep", "--rate", "500", data=payments / "misfit.csv")
    report = demo.report()
    assert (report["rows"], report["lost"], report["dead_letters"]) == (ROWS * 4 // 5, 0, 1)
    verified = command(["verify", "--json"], demo.home)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def change_of(demo: Demo) -> int:
    """Event time of the scenario's change, epoch ms."""
    truth = json.loads(demo.pipeline.with_name("payments.truth.json").read_text())
    replay = load_pipeline(demo.pipeline).replay
    assert replay is not None
    start = int(datetime.fromisoformat(replay.start).timestamp() * 1_000)
    return start + int(truth["documented"][0]) * replay.spacing


def run_of(report: dict[str, Any]) -> dict[str, Any]:
    """What must not depend on the machine."""
    figures = {k: report[k] for k in ("rows", "predictions", "dead_letters", "lost", "accuracy_live", "log_loss_live")}
    return figures | {
        "alerts": parts(report["alerts"], "alert_id", "window_start", "features", "labelled_offset", "sentence"),
        "decisions": parts(report["decisions"], "decision_id", "verdict", "at", "reason"),
        "versions": parts(report["versions"], "version", "epoch", "digest", "profile", "predictions"),
    }


def parts(entries: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in keys} for entry in entries]


def test_the_loop_heals_itself(undisturbed: Demo) -> None:
    report = undisturbed.report()
    assert report["rows"] == ROWS * 4 // 5
    assert (report["lost"], report["raw_repeats"], report["dead_letters"]) == (0, 0, 0)
    budgeted = [alert for alert in report["alerts"] if not alert["detector"]]
    assert budgeted
    assert all(alert["window_end"] > change_of(undisturbed) for alert in budgeted)
    assert len(budgeted) < len(report["alerts"])
    assert any(d["verdict"] == "promoted" and d["trigger"] != "bootstrap" for d in report["decisions"])
    assert report["log_loss_live"] < report["log_loss_frozen"]
    assert report["average_precision_live"] > report["average_precision_frozen"]
    verified = command(["verify", "--pipeline", str(undisturbed.pipeline), "--json"], undisturbed.home / "demo")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["lost"] == 0


def test_a_run_with_killed_services_ends_the_same(start_demo: Callable[..., Demo], undisturbed: Demo) -> None:
    disturbed = start_demo("disturbed")
    for name, rows in (("score-0", 600), ("trainer", 1_000), ("monitor", 1_400), ("record", 1_800)):
        kill_after(disturbed, f"payments-{name}", rows)
    assert run_of(disturbed.report()) == run_of(undisturbed.report())


def test_the_backtest_of_the_same_file_alerts_and_decides_the_same(undisturbed: Demo) -> None:
    report = undisturbed.report()
    data = undisturbed.pipeline.with_name("payments.csv")
    found = command(["backtest", str(data), "--pipeline", str(undisturbed.pipeline), "--json"], undisturbed.home)
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout.splitlines()[-1])
    keys = ("alert_id", "detector", "sentence")
    assert parts(said["alerts"], *keys) == parts(report["alerts"], *keys)
    assert parts(said["firings"], "detector", "offset", "rose") == firings_of(recorded(undisturbed))
    decided = [decision for decision in report["decisions"] if decision["trigger"] != "bootstrap"]
    keys = ("decision_id", "verdict", "reason")
    assert parts(said["decisions"], *keys) == parts(decided, *keys)


def recorded(demo: Demo) -> Recording:
    with reachable(demo.home / "demo", {}) as addresses:
        return load(load_pipeline(demo.pipeline), *addresses, wait_seconds=30)[0]


def test_the_oracle_finds_whatever_is_changed_in_what_a_run_left_behind(undisturbed: Demo) -> None:
    recording = recorded(undisturbed)
    assert judge(recording).ok
    for name in ("a prediction dropped", "a row of PostgreSQL doubled", "a row of PostgreSQL altered",
                 "two predictions of one source and epoch that differ", "an altered score", "a count changed",
                 "a prediction count changed"):
        check, mutate = MUTATIONS[name]
        found = judge(mutate(recording))
        assert check in {difference.check for difference in found.differences}, name


def firings_of(recording: Recording) -> list[dict[str, Any]]:
    reports = [decode(record.value or b"", DriftReport) for record in recording.log(DRIFT_STATS).records]
    return [to_builtins(firing) for report in reports for firing in report.firings]


def kill_after(demo: Demo, service: str, rows: int) -> None:
    """SIGKILL a service once so many rows have been sent."""

    def pid() -> int | None:
        assert demo.process.poll() is None, demo.process.communicate()[0]
        found = {s.name: s.pid for s in read_status(demo.home / "demo").services if s.alive}
        return found.get(service) if demo.rows_sent() >= rows else None

    os.kill(wait_for(pid, seconds=400), signal.SIGKILL)
