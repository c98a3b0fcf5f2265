"""Versions of the definition: an order of a log, what may follow what, and who takes it when."""

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.codec import encode
from schemas.configuration import FIXED, LIVE, ConfigurationLog, effects, refusals, taken_live
from schemas.messages import Configuration
from schemas.pipeline import Pipeline, parse_pipeline
from tests.tiny import definition, tiny_pipeline

TEXT = definition()


def record(text: str = TEXT, replaces: int = -1) -> bytes:
    return encode(Configuration(text=text, digest="", replaces=replaces, by="ada", labelled_offset=0, issued_at=0))


def with_budget(windows: int) -> str:
    return TEXT.replace("[drift]", f'[drift]\nfalse_alarms = "1 in {windows} windows"')


def changed(table: str, key: str, value: object) -> Pipeline:
    pipeline = tiny_pipeline()
    return replace(pipeline, **{table: replace(getattr(pipeline, table), **{key: value})})


def test_a_version_counts_only_if_it_was_made_from_the_newest() -> None:
    log = ConfigurationLog(name="tiny")
    assert log.read(0, record()) is not None
    assert log.read(1, record(with_budget(50), replaces=-1)) is None  # made from nothing, beside the first
    accepted = log.read(2, record(with_budget(60), replaces=0))
    assert accepted is not None
    assert log.read(3, record(with_budget(70), replaces=0)) is None  # came second
    assert (log.offset, log.current) == (2, accepted)
    assert str(accepted.pipeline.drift.false_alarms) == "1 in 60 windows"
    assert (log.find(0), log.find(1)) == (log.versions[0], None)


@pytest.mark.parametrize("value", [
    None, b"", b"{", record("no toml ["), record(TEXT.replace("tiny", "other")), record(TEXT, replaces=4)])
def test_what_is_no_version_of_this_pipeline_changes_nothing(value: bytes | None) -> None:
    log = ConfigurationLog(name="tiny")
    assert log.read(0, value) is None
    assert log.versions == []


def test_a_version_that_may_not_follow_is_refused_by_every_reader_alike() -> None:
    log = ConfigurationLog(name="tiny")
    log.read(0, record())
    assert log.read(1, record(TEXT.replace('size = "10s"', 'size = "20s"'), replaces=0)) is None
    assert log.read(2, record(with_budget(60), replaces=0)) is not None


def test_reading_a_log_again_changes_nothing() -> None:
    log = ConfigurationLog(name="tiny")
    records = [record(), record(with_budget(60), replaces=0)]
    for _ in range(2):
        for offset, value in enumerate(records):
            log.read(offset, value)
    assert [version.offset for version in log.versions] == [0, 1]


@pytest.mark.parametrize(("text", "found"), [
    (TEXT.replace('size = "10s"', 'size = "20s"'), ["windows.size"]),
    (TEXT.replace("scales = 2", "scales = 3"), ["drift.scales"]),
    (TEXT.replace('name = "b"\ntype = "number"', 'name = "b"\ntype = "boolean"'), ["features"]),
    (TEXT.replace('name = "a"', 'name = "z"'), ["features"]),
    (TEXT + '[[features]]\nname = "d"\ntype = "number"\n', ["features"]),
    (TEXT.replace('name = "a"', 'owner = "desk"\ndescription = "Euros"\nname = "a"'), []),
    (with_budget(60), []),
])
def test_what_windows_and_models_were_made_with_cannot_change_under_the_same_name(text: str, found: list[str]) -> None:
    assert refusals(parse_pipeline(TEXT, "a"), parse_pipeline(text, "b")) == found


def test_a_running_service_takes_its_own_keys_and_no_others() -> None:
    running = tiny_pipeline()
    wanted = replace(running, drift=replace(running.drift, min_effect=0.5),
                     gate=replace(running.gate, alpha=0.01), windows=replace(running.windows, quality_labels=7))
    monitor, trainer = (taken_live(running, wanted, service) for service in ("monitor", "trainer"))
    assert (monitor.drift.min_effect, monitor.gate.alpha, monitor.windows.quality_labels) == (0.5, 0.05, 500)
    assert (trainer.drift.min_effect, trainer.gate.alpha) == (0.05, 0.01)


def test_every_key_that_is_named_is_one_and_none_is_both_live_and_fixed() -> None:
    tables: dict[str, Any] = {f.encode_name: f.type for f in msgspec.structs.fields(Pipeline)}
    live = {(table, key) for tables in LIVE.values() for table, keys in tables.items() for key in keys}
    fixed = {(table, key) for table, keys in FIXED.items() for key in keys}
    for table, key in live | fixed:
        assert key in tables[table].__struct_fields__, f"{table}.{key}"
    assert not live & fixed


def test_each_change_says_who_takes_it_and_when() -> None:
    assert list(effects(tiny_pipeline(), changed("drift", "min_effect", 0.5))) == [
        "drift.min_effect: the monitor takes it within seconds"]
    assert list(effects(tiny_pipeline(), changed("gate", "alpha", 0.01))) == [
        "gate.alpha: the trainer takes it within seconds"]
    assert list(effects(tiny_pipeline(), changed("windows", "quality_labels", 9))) == [
        "windows.quality_labels: with the next start"]
    assert list(effects(tiny_pipeline(), tiny_pipeline())) == []
