from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from producers.errors import UnknownScenario
from producers.files import file_rows, open_table
from producers.rows import Row
from producers.scenarios.changes import KINDS, Change
from producers.scenarios.scenario import STREAMS, generate, scenario, truth
from producers.transfer import write_scenario
from schemas.pipeline import Pipeline, load_pipeline

NAMES = sorted(STREAMS)
ROWS, AT = 4_000, 2_000


def pipeline_of(name: str) -> Pipeline:
    return load_pipeline(Path(__file__).parents[2] / "pipelines" / f"{name}.toml")


def rows_of(name: str, *changes: str, seed: int = 0, rows: int = ROWS, first: int = 0) -> list[Row]:
    plan = scenario(name, rows, seed, tuple(Change.parse(change) for change in changes))
    return list(generate(plan, pipeline_of(name), first))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(name: str) -> None:
    assert rows_of(name) == rows_of(name)
    assert rows_of(name) != rows_of(name, seed=1)


@pytest.mark.parametrize("name", NAMES)
def test_every_row_fits_and_all_features_are_described(name: str) -> None:
    assert all(row.fits and row.label is not None and row.entity for row in rows_of(name))
    assert all(feature.owner and feature.description for feature in pipeline_of(name).features)


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_scenario_begins_with_the_shorter_and_any_row_can_be_first(name: str) -> None:
    long = rows_of(name, rows=10_000)
    assert long[:ROWS] == rows_of(name)
    assert rows_of(name, rows=10_000, first=9_000) == long[9_000:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_change_begins_and_ends_where_it_is_declared(name: str, kind: str) -> None:
    before, changed = rows_of(name), rows_of(name, f"{kind}@{AT}-3000")
    differ = [a.number for a, b in zip(before, changed, strict=True) if a != b]
    assert AT <= differ[0] < AT + 100
    assert 2_900 <= differ[-1] < 3_000


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_break_makes_rows_that_do_not_fit(name: str) -> None:
    misfits = [row.number for row in rows_of(name, f"schema-break@{AT}") if not row.fits]
    assert min(misfits) >= AT
    assert 0.2 < len(misfits) / (ROWS - AT) < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_a_label_shift_raises_the_label(name: str) -> None:
    labels = np.array([float(str(row.label)) for row in rows_of(name, f"label-shift@{AT}")])
    assert labels[AT:].mean() > labels[:AT].mean() * 1.05


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_drift_before_the_change(name: str) -> None:
    """The two halves before the change are one distribution, in every column (Bonferroni, level 1 in 1,000)."""
    rows = rows_of(name, rows=12_000)
    columns = {key: [row.features[key] for row in rows] for key in rows[0].features}
    columns["label"] = [row.label for row in rows]
    for key, values in columns.items():
        halves = values[:6_000], values[6_000:]
        if isinstance(values[0], float):
            first, second = ([value for value in half if value is not None] for half in halves)
            p = np.asarray(ks_2samp(first, second))[1]
        else:
            kinds = sorted(set(values), key=str)
            counts = [[half.count(kind) for kind in kinds] for half in halves]
            p = np.asarray(chi2_contingency(counts)[:2])[1]
        assert p > 0.001 / len(columns), key


def test_truth_names_rows_and_kinds() -> None:
    changes = tuple(map(Change.parse, ("covariate@400", "concept@400", "sensor-fault@0-600")))
    plan = scenario("payments", 1_000, 3, changes)
    found = truth(plan)
    assert (found.documented, found.kinds, found.n_rows) == (
        [400, 600], [["covariate", "concept"], ["end of sensor-fault"]], 1_000)
    assert "payments" in found.note


def test_payments_of_the_demo_change_once_at_half_of_24000_rows() -> None:
    plan = scenario("payments")
    assert (plan.rows, truth(plan).documented) == (24_000, [12_000])
    labels = [row.label for row in generate(plan, pipeline_of("payments"))]
    assert 0.02 < sum(label == 1 for label in labels[:12_000]) / 12_000 < 0.04


@pytest.mark.parametrize("name", ["pay.csv", "pay.parquet"])
def test_a_written_scenario_replays_as_the_generated_one(tmp_path: Path, name: str) -> None:
    plan = scenario("payments", ROWS, 0, (Change.parse(f"schema-break@{AT}"),))
    beside = write_scenario(plan, tmp_path / name)
    written = list(file_rows(open_table(tmp_path / name), pipeline_of("payments")))
    generated = list(generate(plan, pipeline_of("payments")))
    assert beside.name == "pay.truth.json"
    assert [(r.ts, r.entity, r.features, r.label) for r in written] == [
        (r.ts, r.entity, r.features, str(r.label)) for r in generated]


@pytest.mark.parametrize("text", ["drift@5", "concept", "concept@-5", "concept@9-9", "concept@5@6"])
def test_an_unreadable_change_is_refused(text: str) -> None:
    with pytest.raises(UnknownScenario, match="write kind@row or kind@row-until"):
        Change.parse(text)


def test_unknown_scenarios_and_changes_behind_the_end_are_refused() -> None:
    with pytest.raises(UnknownScenario, match="there are payments, readmission, pricing"):
        scenario("weather")
    with pytest.raises(UnknownScenario, match="lies behind the last of 10 rows"):
        scenario("pricing", 10, 0, (Change.parse("concept@10"),))
    with pytest.raises(UnknownScenario, match="ask for 1 or more"):
        scenario("pricing", 0)
