"""What is wrong with a pipeline file is said with the file, the key, what was found and what is allowed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pipeline import Duration, FalseAlarmBudget, PipelineError, load_pipeline, parse_pipeline

ROOT = Path(__file__).parents[2]
GOOD = """
[pipeline]
name = "p"
task = "binary"
{section}
[[features]]
name = "a"
type = "number"
{feature}
"""
FEATURE = '[[features]]\nname = "b"\n'


@pytest.mark.parametrize(("section", "words"), [
    ("partitions = 0", ["'pipeline.partitions'", "found 0", ">= 1"]),
    ("partitions = true", ["'pipeline.partitions'", "found True", "`int`"]),
    ("partitions = 1.5", ["'pipeline.partitions'", "found 1.5", "`int`"]),
    ("partition = 1", ["unknown key 'pipeline.partition'", "allowed here: label_horizon, name"]),
    ('label_horizon = "0s"', ["'pipeline.label_horizon'", "found 0", "positive"]),
    ('unlabelled_after = "30d"', ["'pipeline.unlabelled_after'", "found '30d'", "30d -> 0"]),
    ('unlabelled_after = "a month -> 0"', ["'pipeline.unlabelled_after'", "DURATION -> LABEL"]),
    ('unlabelled_after = "30 -> 0"', ["'pipeline.unlabelled_after'", "ms, s, m, h, d"]),
    ('unlabelled_after = "0d -> 0"', ["'pipeline.unlabelled_after'", "found '0d -> 0'", "positive"]),
    ("[windows]\nquality_labels = 0", ["'windows.quality_labels'", "found 0", ">= 1"]),
    ("[retraining]\nlabel_quota = 1.5", ["'retraining.label_quota'", "found 1.5", "<= 1"]),
    ('[gate]\nslices = ["z"]', ["'gate.slices'", "found 'z'", "allowed: a"]),
    ("[windos]", ["unknown key 'windos'", "windows"]),
    ('[windows]\nsize = "0s"', ["'windows.size'", "found 0", "positive"]),
    ("[windows]\nsize = 200", ["'windows.size'", "found 200", "text"]),
    ('[windows]\nsize = "200"', ["'windows.size'", "found '200'", "ms, s, m, h, d"]),
    ('[windows]\nsize = "40000d"', ["'windows.size'", "found '40000d'", "at most 36500d"]),
    ("[drift]\nscales = 11", ["'drift.scales'", "found 11", "<= 10"]),
    ("[drift]\nmin_effect = nan", ["'drift.min_effect'", "found nan", ">= 0"]),
    ('[drift]\nfalse_alarms = "rarely"', ["'drift.false_alarms'", "found 'rarely'", "1 in N windows"]),
    ('[windows]\nsize = "1ms"', ["'windows.max_future'", "3,610,002", "lengthen windows.size"]),
    ('[drift]\nfalse_alarms = "1 in 10s"', ["'drift.false_alarms'", "found '1 in 10s'", "windows.size"]),
    ('[retraining]\nfamilies = ["oracle"]', ["'retraining.families[0]'", "found 'oracle'", "'lightgbm', 'logistic'"]),
    ("[retraining]\nfamilies = []", ["'retraining.families'", "empty", "lightgbm"]),
    ('[retraining]\nwindows = ["some"]', ["'retraining.windows[0]'", "found 'some'", "'all'"]),
    ("[retraining]\nwindows = [0]", ["'retraining.windows[0]'", "found 0", ">= 1"]),
    ("[retraining]\nwindows = []", ["'retraining.windows'", "empty", "all"]),
    ("[replay]", ["'replay.label'", "missing", "required"]),
    ('[replay]\nlabel = "a"', ["'replay.label'", "found 'a'", "feature"]),
    ('[replay]\nlabel = "y"\ndrop = ["a"]', ["'replay.drop'", "found 'a'", "feature"]),
    ('[replay]\nlabel = "y"\nstart = "soon"', ["'replay.start'", "found 'soon'", "2000-01-01"]),
    ('[encoding]\nevents = "xml"', ["'encoding.events'", "found 'xml'", "allowed: 'json', 'avro'"]),
    ('[encoding]\nregistry = "x"', ["unknown key 'encoding.registry'", "allowed here: events, schema_registry"]),
    ('[encoding]\nschema_registry = "registry:8081"', ["'encoding.schema_registry'", "found 'registry", "http://"]),
    ('[encoding]\nschema_registry = "http://me:secret@x"', ["'encoding.schema_registry'", "SCHEMA_REGISTRY_AUTH"]),
    ('[retention]\nevents = "0s"', ["'retention.events'", "found 0", "a positive duration"]),
    ('[retention]\naudit = "1d"', ["unknown key 'retention.audit'", "drift_stats, events, labels, predictions"]),
    ('[retention]\ntables = "6d"', ["'retention.tables'", "shorter than 'pipeline.label_horizon'"]),
])
def test_a_bad_section_is_told_with_file_key_finding_and_what_is_allowed(section: str, words: list[str]) -> None:
    said = error_of(GOOD.format(section=section, feature=""))
    assert [word for word in ["bad.toml", *words] if word not in said] == []


@pytest.mark.parametrize("text", ["30d -> 0", "30d → 0"])
def test_silence_is_a_class_after_a_while(text: str) -> None:
    implicit = parse_pipeline(GOOD.format(section=f'unlabelled_after = "{text}"', feature=""), "p.toml"
                              ).pipeline.unlabelled_after
    assert implicit is not None
    assert (implicit.after, implicit.label) == (30 * 86_400_000, "0")


def test_silence_is_no_number() -> None:
    said = error_of(GOOD.replace("binary", "regression").format(section='unlabelled_after = "1d -> 0"', feature=""))
    assert [word for word in ["'pipeline.unlabelled_after'", "binary and multiclass"] if word not in said] == []


@pytest.mark.parametrize(("feature", "words"), [
    ("default = 1", ["'a'", "default", "optional = true"]),
    ('optional = true\ndefault = "x"', ["'a'", "'x'", "not a number"]),
    ("optional = true\ndefault = true", ["'a'", "True", "not a number"]),
    ("optional = true\ndefault = inf", ["'a'", "inf", "not a number"]),
    ('[[features]]\nname = "a"\ntype = "number"', ["'features'", "a occurs twice", "distinct"]),
    (FEATURE, ["'features[1].type'", "missing"]),
    (FEATURE + 'type = "text"', ["'features[1].type'", "found 'text'", "'number', 'category', 'boolean'"]),
    (FEATURE + 'typ = "number"', ["unknown key 'features[1].typ'", "type"]),
    (FEATURE + 'type = "category"\noptional = true\ndefault = 1', ["'b'", "1.0", "not a category"]),
    (FEATURE + 'type = "boolean"\noptional = true\ndefault = 1', ["'b'", "1.0", "not a boolean"]),
    ('[[features]]\nname = ""\ntype = "number"', ["'features'", "''", "allowed"]),
    ('[[features]]\nname = "\\""\ntype = "number"', ["'features'", "quotes"]),
    ('[[features]]\nname = "model.loss"\ntype = "number"', ["'features'", "'model.loss'", "rename"]),
    ('[[features]]\nname = "model.prediction"\ntype = "number"', ["'features'", "'model.prediction'", "rename"]),
])
def test_a_bad_feature_is_told_with_its_name(feature: str, words: list[str]) -> None:
    said = error_of(GOOD.format(section="", feature=feature))
    assert [word for word in ["bad.toml", *words] if word not in said] == []


@pytest.mark.parametrize(("text", "words"), [
    ("", ["'pipeline'", "missing"]),
    ("x =", ["not TOML"]),
    ('\ufeff[pipeline]\nname = "p"', ["not TOML"]),
    ("pipeline = 3", ["'pipeline'", "found 3"]),
    ('features = []\n[pipeline]\nname = "p"\ntask = "binary"', ["'features'", "empty"]),
    ('features = [3]\n[pipeline]\nname = "p"\ntask = "binary"', ["'features[0]'", "found 3"]),
    ('features = []\n[pipeline]\nname = "P 1"\ntask = "binary"', ["'pipeline.name'", "found 'P 1'", "lower-case"]),
    ('features = []\n[pipeline]\nname = "p"\ntask = "rank"', ["'pipeline.task'", "found 'rank'", "'regression'"]),
])
def test_a_bad_document_is_told_with_file_and_key(text: str, words: list[str]) -> None:
    said = error_of(text)
    assert [word for word in ["bad.toml", *words] if word not in said] == []


def error_of(text: str) -> str:
    with pytest.raises(PipelineError) as caught:
        parse_pipeline(text, "bad.toml")
    return str(caught.value)


def test_a_file_that_is_not_there_or_not_utf8_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"nowhere\.toml: cannot be read"):
        load_pipeline(tmp_path / "nowhere.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "\xe9"')
    with pytest.raises(PipelineError, match=r"latin\.toml: not UTF-8"):
        load_pipeline(latin)


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.toml")), ids=lambda p: p.stem)
def test_every_pipeline_of_the_project_is_valid_and_named_as_its_file(path: Path) -> None:
    assert load_pipeline(path).name == path.stem


def test_the_digest_follows_the_content_and_not_the_spelling() -> None:
    plain = parse_pipeline(GOOD.format(section='[windows]\nsize = "200s"', feature=""), "a.toml")
    spelled = parse_pipeline(GOOD.format(section='[windows]\nsize = "200000ms" # same', feature=""), "b.toml")
    other = parse_pipeline(GOOD.format(section='[windows]\nsize = "201s"', feature=""), "a.toml")
    assert plain.digest == spelled.digest != other.digest


def test_the_encoding_is_part_of_the_digest_only_where_it_is_not_the_default() -> None:
    absent = parse_pipeline(GOOD.format(section="", feature=""), "a.toml")
    spelled = parse_pipeline(GOOD.format(section='[encoding]\nevents = "json"', feature=""), "a.toml")
    avro = parse_pipeline(GOOD.format(section='[encoding]\nevents = "avro"', feature=""), "a.toml")
    assert absent.digest == spelled.digest != avro.digest
    assert absent.digest == Path(__file__).with_name("golden").joinpath("pipeline.sha256").read_text().strip()


UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@given(st.integers(0, 36_500), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_number_times_its_unit(number: int, unit: str) -> None:
    assert Duration.parse(f"{number}{unit}") == number * UNITS[unit]


@given(st.text())
def test_no_text_but_a_number_with_a_unit_is_a_duration(text: str) -> None:
    number = next((text.removesuffix(unit) for unit in UNITS if text.endswith(unit)
                   and set(text.removesuffix(unit)) <= set("0123456789") and text != unit), None)
    if number is None:
        with pytest.raises(ValueError, match="number and a unit"):
            Duration.parse(text)


@given(st.integers(1, 36_500), st.integers(1, 1_000))
def test_a_budget_in_time_is_that_time_in_windows(days: int, minutes: int) -> None:
    size = Duration.parse(f"{minutes}m")
    assert FalseAlarmBudget.parse(f"1 in {days}d").windows(size) == pytest.approx(days * 1_440 / minutes)
    assert FalseAlarmBudget.parse(f"1 in {days} windows").windows(size) == days


@pytest.mark.parametrize("text", [
    "1 in 0 windows", "2 in 5d", "1 in 5", "1 in 05d", "1 in 5 d", "1 in ٣d", "1 in 5d\n"])
def test_no_other_sentence_is_a_budget(text: str) -> None:
    with pytest.raises(ValueError, match="1 in N windows"):
        FalseAlarmBudget.parse(text)


def test_retention_is_no_part_of_what_a_pipeline_is() -> None:
    plain = parse_pipeline(GOOD.format(section="", feature=""), "p.toml")
    kept = parse_pipeline(GOOD.format(section='[retention]\ntables = "400d"\nevents = "1d"', feature=""), "p.toml")
    assert kept.retention != plain.retention
    assert kept.digest == plain.digest
