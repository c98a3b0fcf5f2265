"""The catalogue says of each feature what the definition, the reports and the announcements say."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from automl_stream.cli import main
from automl_stream.features.catalogue import Catalogue, Entry, entries
from kafka_access.access import KafkaAccess
from schemas.messages import DriftReport, FeatureDrift
from schemas.pipeline import Feature, PipelineError, parse_pipeline
from schemas.topics import DRIFT_STATS
from tests.live import Live
from tests.tiny import definition

AMOUNT = Feature(name="a", type="number", min=0.0, max=10.0, owner="desk", description="Euros")


def drift(name: str, *, rows: int = 40, missing: float = 0.0, alarm: bool = False) -> FeatureDrift:
    return FeatureDrift(name=name, rows=rows, missing=missing, ks=None, psi=None, jensen_shannon=None, effect=0.5,
                        lower_bound=0.0, log_p=-1.0, scale=1, contrast="location", calibrated=True, alarm=alarm)


def report(number: int, *features: FeatureDrift) -> DriftReport:
    return DriftReport(window_start=number * 10_000, window_end=(number + 1) * 10_000, profile="p", rows=40, covered={},
                       pipeline_digest="", alarm=any(f.alarm for f in features), verdict="", features=list(features))


def test_a_feature_is_seen_from_its_first_window_with_a_value_to_its_last() -> None:
    reports = [report(0, drift("a", missing=1.0)), report(1, drift("a")), report(2, drift("a", alarm=True)),
               report(3, drift("a", rows=0))]
    (entry,) = entries([AMOUNT], reports, ["1", "2"])
    assert (entry.first_seen, entry.last_seen, entry.models) == (10_000, 30_000, ["1", "2"])
    assert entry.drift is not None
    assert (entry.drift.window_start, entry.drift.alarm, entry.drift.last_alarm) == (30_000, False, 20_000)
    assert (entry.min, entry.max, entry.owner, entry.description) == (0.0, 10.0, "desk", "Euros")


def test_a_feature_that_was_never_seen_is_in_the_catalogue_too_and_what_is_no_feature_is_not() -> None:
    (entry,) = entries([AMOUNT], [report(0, drift("model.loss"))], [])
    assert (entry.name, entry.first_seen, entry.last_seen, entry.drift) == ("a", None, None, None)


@pytest.mark.parametrize(("keys", "sentence"), [
    ("min = 2.0\nmax = 1.0", "feature 'a': min 2.0 is above max 1.0"),
    ("min = 'low'", "key 'features"),
])
def test_a_range_that_is_none_is_refused(keys: str, sentence: str) -> None:
    text = definition().replace('name = "a"', f'name = "a"\n{keys}')
    with pytest.raises(PipelineError, match=sentence):
        parse_pipeline(text, "tiny.toml")


def test_only_numbers_have_a_range() -> None:
    with pytest.raises(PipelineError, match="feature 'c' has a range but is a category"):
        parse_pipeline(definition().replace('name = "c"', 'name = "c"\nmax = 1.0'), "tiny.toml")


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.servers)
    live = Live(kafka, tmp_path, lambda name: definition(name).replace(
        'name = "a"', 'name = "a"\nmin = 0.0\nowner = "desk"\ndescription = "Euros"'))
    yield live
    live.close()


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    monkeypatch.setattr(sys, "argv", ["automl-stream", "features", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out + printed.err


def test_the_commands_list_and_show_what_the_topics_say(
        live: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    live.announce(1.0, -1)
    live.announce(2.0, 0)
    live.say(DRIFT_STATS, report(0, drift("a"), drift("c", alarm=True)))
    code, printed = run(["list", str(live.file), "--json"], monkeypatch, capsys)
    catalogue = msgspec.json.decode(printed, type=Catalogue)
    assert (code, catalogue.pipeline, catalogue.version) == (0, live.name, -1)
    assert [entry.name for entry in catalogue.features] == ["a", "b", "c"]
    assert catalogue.features[0].models == ["w1.0", "w2.0"]

    code, printed = run(["list", str(live.file)], monkeypatch, capsys)
    assert code == 0
    for word in ("desk", "0..", "Euros", "alarm", "no report yet", "as the file defines them"):
        assert word in printed
    code, printed = run(["show", str(live.file), "c", "--json"], monkeypatch, capsys)
    found = msgspec.json.decode(printed, type=Entry)
    assert found.drift is not None
    assert found.drift.alarm
    code, printed = run(["show", str(live.file), "a"], monkeypatch, capsys)
    assert (code, "models" in printed, "w1.0, w2.0" in printed) == (0, True, True)
    code, printed = run(["show", str(live.file), "z"], monkeypatch, capsys)
    assert code == 2
    assert "has no feature 'z'; it has a, b, c" in printed
