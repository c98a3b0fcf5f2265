"""The last line of the benchmark of policies, its musts, and its page."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.progress import Progress

from bench import policies, report
from bench.policies import __main__ as command
from bench.policies import must, noise, streams
from bench.policies.must import Must
from bench.policies.noise import Hopeless
from bench.policies.streams import ADWIN, SCHEDULE, Case, Run
from bench.result import Result, Table, describe_machine

MET = Must(what="this", limit="at least 1", found="2", met=True)
MISSED = Must(what="that", limit="at least 1", found="0", met=False)


def case(stream: str, ours: float, delay: int = 0, **more: Any) -> Case:
    values = (0.3, 0.1, 0.2)
    runs = [Run(peer=peer, setting=f"s{value}", quality=value, retrainings=1, seconds=1.0)
            for peer in (SCHEDULE, ADWIN) for value in values]
    return Case(stream=stream, delay=delay, lower_is_better=stream == "bike_sharing", ours=ours, frozen=1.0, alerts=1,
                retrainings=1, promotions=1, rollbacks=0, training_seconds=1.0, seconds=2.0, runs=runs, **more)


def test_each_stream_is_held_to_its_own_must_with_labels_at_once_and_to_none_with_late_ones() -> None:
    found = [case("gas_drift", 0.945), case("noaa_weather", 0.7949), case("elec2", 0.78), case("bike_sharing", 0.601),
             case("elec2", 0.1, delay=500)]
    assert [each.met for each in streams.musts(found)] == [True, False, True, False]
    assert streams.musts([case("bike_sharing", 0.6)])[0].met


def test_the_best_setting_is_the_largest_accuracy_or_the_smallest_error_and_the_typical_one_the_median() -> None:
    right, wrong = case("elec2", 0.5), case("bike_sharing", 0.5)
    best = [each.best(SCHEDULE) for each in (right, wrong)]
    assert [run.quality for run in best if run] == [0.3, 0.1]
    assert (right.typical(ADWIN), wrong.typical(ADWIN)) == (0.2, 0.2)
    assert right.best("nobody") is None
    qualities = streams.tables([right])[0].rows[0]
    assert qualities[:8] == ("elec2", "at once", "0.500", "1.000", "0.300", "0.200", "0.300", "0.200")


def test_a_part_of_a_real_stream_goes_through_the_loop_and_its_peers() -> None:
    size = streams.Size(names=("bike_sharing",), delays=(500,), rows=1_500, periods=(250,), windows=(None,),
                        recent=(500,), forest=False)
    found = streams.case("bike_sharing", 500, size)
    assert 0 < found.ours < found.frozen * 1.5
    assert [run.retrainings > 0 for run in found.of(SCHEDULE)] == [True]
    assert streams.musts([found]) == []


@pytest.mark.parametrize(("opened", "after", "met"), [(250, 0, [True, True]), (250, 1, [True, False]),
                                                      (None, 0, [False, False])])
def test_the_breaker_must_open_and_nothing_be_promoted_after_it(opened: int | None, after: int,
                                                                 met: list[bool]) -> None:
    seed = Hopeless(opened=opened, said="the breaker is open", rounds_before=3, rounds_after=0, promotions_before=1,
                    promotions_after=after, accuracy_before=0.9, accuracy_after=0.9)
    assert [each.met for each in noise.musts([seed])] == met


def test_the_summary_names_what_is_missed() -> None:
    assert must.summary([MET]) == "All 1 musts are met."
    assert must.summary([MET, MISSED]) == "1 of 2 musts are met. Missed: that (0; must: at least 1)."
    assert [row[-1] for row in must.table([MET, MISSED]).rows] == ["met", "**missed**"]


def part(name: str) -> Result:
    return must.result(name, f"Part {name}", [MET, MISSED], [Table(title=f"Of {name}", columns=("a",), rows=[(1,)])],
                       {"raw": name}, describe_machine("no broker"))


def test_parts_are_measured_in_their_order_and_stored_and_the_last_line_has_all(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(command.PARTS) == list(policies.ORDER)
    monkeypatch.setattr(command, "ProcessPoolExecutor", lambda workers, **_: ThreadPoolExecutor(workers))
    monkeypatch.setattr(command, "PARTS", {name: lambda _pool, _bar, quick, name=name: part(f"{name}{quick}"[:6])
                                           for name in policies.ORDER})
    monkeypatch.setattr("bench.result.RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["policies", "storm", "noise", "--quick", "--json", "--write"])
    command.main()
    last = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert last["stormT"]["musts"][1] == msgspec.to_builtins(MISSED)
    assert {path.name for path in tmp_path.iterdir()} == {"policies_stormT.json", "policies_noiseT.json"}
    monkeypatch.setattr(sys, "argv", ["policies", "strom"])
    with pytest.raises(SystemExit):
        command.main()
    assert "there is no part 'strom'" in capsys.readouterr().err


def test_the_page_shows_every_part_in_order_and_the_other_page_none(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("noise", "streams"):
        stored = part(name)
        (tmp_path / f"{stored.name}.json").write_bytes(msgspec.json.encode(stored))
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "DOCS", tmp_path)
    report.main()
    page = (tmp_path / "policies-benchmark.md").read_text("utf-8")
    assert page.index("Part streams") < page.index("Part noise")
    assert "| that | at least 1 | 0 | **missed** |" in page
    assert "Part" not in (tmp_path / "benchmarks.md").read_text("utf-8")


def test_the_storm_is_measured_as_one_part() -> None:
    with Progress(disable=True) as bar:
        result = command.PARTS["storm"](ThreadPoolExecutor(1), bar, quick=True)
    assert result.name == policies.stored_as("storm")
    assert result.figures["alerts"] == 1_000
