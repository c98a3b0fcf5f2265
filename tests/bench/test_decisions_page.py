"""The last line of the benchmark, its tables and its pictures."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from rich.progress import Progress

from bench import report
from bench.decisions import __main__ as decisions
from bench.decisions import pictures, tables
from bench.decisions.__main__ import Found
from bench.decisions.delays import STRICT, Levels
from bench.decisions.immaterial import SHIFTS, SIZES, Share
from bench.decisions.predictions import KINDS, Promotion
from bench.decisions.realised import Case, cells
from bench.decisions.rules import OURS
from bench.decisions.uncalibrated import RULES, Silence, World
from bench.result import Result, Table, describe_machine

HIDDEN = "2 % missing in bursts of 20"


@pytest.fixture
def found() -> Found:
    shares = [(Case(stream="independent"), 1e-5), (Case(stream="AR(1) .9"), 0.02), (Case(stream=HIDDEN), 0.3)]
    delays = {".2 sd in 1": {OURS.name: 8.0, "ADWIN": 7.0, "KSWIN": None, STRICT: 11.0},
              ".5 sd in 1": {OURS.name: 1.0, "ADWIN": 2.0, "KSWIN": None, STRICT: 2.0}}
    return Found(
        cells=[cell for case, share in shares for cell in cells(case, np.full((3, len(case.levels)), share))],
        promotions=[Promotion(reference=kind, rows=1_000, ratio=place + 0.5, low=0, high=9, material=1, references=3)
                    for place, kind in enumerate(KINDS)],
        silences=[Silence(world=World(reference=100, length=2), ratio=dict.fromkeys(RULES, 1.0),
                          low=dict.fromkeys(RULES, 0.5), silenced=dict.fromkeys(RULES, 0.1), references=30)],
        levels=Levels(level=dict.fromkeys((OURS.name, "ADWIN", "KSWIN", STRICT), 1.0), realised=0.004, windows=1_000),
        delays=delays,
        shares=[Share(rows=rows, shift=shift, significant=1, alarmed=0.25, windows=9)
                for rows in SIZES for shift in SHIFTS],
        others=[Table(title="Others", columns=("a",), rows=[("b",)])],
    )


def test_the_last_line_names_every_ratio_and_excepts_what_no_reference_can_know(found: Found) -> None:
    figures = msgspec.json.decode(msgspec.json.encode(decisions.figures(found)))
    assert list(figures) == ["worst_ratio", "ratios", "delays"]
    excepted = [name for name in figures["ratios"] if "excepted" in name]
    assert len(excepted) == 3
    assert figures["worst_ratio"] == max(value for name, value in figures["ratios"].items() if name not in excepted)
    assert figures["ratios"]["prediction cells, labelled after the fit, 1,000 rows"] == 0.5
    assert figures["delays"][".2 sd in 1"] == {"ours": 8, "ADWIN": 7, "KSWIN": None, STRICT: 11}


def test_the_summary_names_what_breaks_the_budget_and_where_another_rule_is_sooner(found: Found) -> None:
    summary = tables.summary(found.cells, found.promotions, found.silences, found.delays, found.shares)
    assert f"The lower bound exceeds 1.2 in: {found.cells[3].name};" in summary
    assert HIDDEN not in summary
    assert "sooner at: .2 sd in 1." in summary
    assert [row[-3] for row in tables.delays(found.delays, found.levels, 3).rows] == ["**behind ADWIN**", "shortest"]


def test_the_quick_form_makes_no_environment_for_other_tools(tmp_path: Path) -> None:
    (table,) = decisions.other_tools(Progress(disable=True), quick=True, home=tmp_path)
    assert table.columns == ("not run",)
    assert "no environment of monitors or alibi" in str(table.rows[0][0])


def test_the_page_shows_every_table_and_both_pictures(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = decisions.describe(found, decisions.QUICK, describe_machine("no broker"))
    (tmp_path / "decisions.json").write_bytes(msgspec.json.encode(result))
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "DOCS", tmp_path)
    report.main()
    page = (tmp_path / "decisions-benchmark.md").read_text("utf-8")
    assert all(f"**{table.title}**" in page for table in result.tables)
    assert "<details>" in page
    for picture in (pictures.RATIOS, pictures.DELAYS):
        assert f"({picture})" in page
        assert (tmp_path / picture).read_text("utf-8").startswith("<?xml")
    assert "Drift decisions" not in (tmp_path / "benchmarks.md").read_text("utf-8")


def test_a_stored_result_is_read_as_it_was(found: Found) -> None:
    result = decisions.describe(found, decisions.FULL, describe_machine("no broker"))
    assert msgspec.json.decode(msgspec.json.encode(result), type=Result).tables == result.tables
