"""A version of the definition goes to Kafka, comes back, and the monitor judges by it, on a real broker."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from automl_stream.applying import ConfigurationFailed, Definitions
from automl_stream.cli import main
from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from kafka_access.definition import UnreadableDefinition, in_force
from schemas.codec import decode
from schemas.messages import Configuration, DriftReport
from schemas.topics import CONFIG, DRIFT_STATS, EVENTS, topic_name
from tests.live import Live
from tests.tiny import event_bytes
from tests.wait import wait_for

START = 946_684_800_000


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.servers)
    live = Live(kafka, tmp_path)
    yield live
    live.close()


class Shell:
    """`automl-stream apply` on the pipeline's file."""

    def __init__(self, live: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._live, self._monkeypatch, self._capsys = live, monkeypatch, capsys

    def __call__(self, *options: str, named: str = "") -> tuple[object, str, str]:
        """Exit code, output, errors."""
        self._monkeypatch.setattr(sys, "argv", ["automl-stream", "apply", named or str(self._live.file), *options])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = self._capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    def edit(self, old: str, new: str) -> None:
        text = self._live.file.read_text()
        assert old in text
        self._live.file.write_text(text.replace(old, new))


@pytest.fixture
def shell(live: Live, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(live, monkeypatch, capsys)


def test_what_is_applied_comes_back_to_the_byte_and_is_in_force(live: Live, shell: Shell, kafka: KafkaAccess) -> None:
    assert shell("--export", named=live.name)[0] == 2
    shell.edit("[drift]", "# a word\n[drift]")
    assert shell("--by", "ada", "--reason", "first")[0] == 0
    first = live.file.read_text()
    assert shell("--export", named=live.name)[:2] == (0, first)
    assert in_force(live.pipeline, kafka) == (live.pipeline, 0)

    shell.edit("[drift]", '[drift]\nfalse_alarms = "1 in 50 windows"')
    assert "drift.false_alarms: the monitor takes it within seconds" in shell("--dry-run")[2]
    assert live.count(CONFIG) == 1
    assert shell()[0] == 0
    assert "says the same; nothing is published" in shell()[2]
    found, version = in_force(live.pipeline, kafka)
    assert (str(found.drift.false_alarms), version, live.count(CONFIG)) == ("1 in 50 windows", 1, 2)
    configuration = decode(live.records(CONFIG)[0].value or b"", Configuration)
    assert (configuration.by, configuration.reason, configuration.text) == ("ada", "first", first)


def test_what_cannot_change_is_refused_with_its_reason_and_nothing_is_written(live: Live, shell: Shell) -> None:
    assert shell()[0] == 0
    shell.edit('size = "10s"', 'size = "20s"')
    code, _, said = shell()
    assert (code, live.count(CONFIG)) == (2, 1)
    assert "windows.size cannot change under the name" in said
    shell.edit('size = "20s"', 'size = "soon"')
    code, _, said = shell()
    assert (code, live.count(CONFIG)) == (2, 1)
    assert "expected a number and a unit" in said


def test_the_first_version_is_held_against_the_model_that_serves(live: Live, shell: Shell) -> None:
    live.announce(1.0, -1)
    shell.edit('name = "a"', 'name = "z"')
    code, _, said = shell()
    assert (code, live.count(CONFIG)) == (2, 0)
    assert "the model does not fit pipeline" in said
    assert "under another pipeline.name" in said


def test_of_two_that_change_the_same_version_the_second_is_told(live: Live, kafka: KafkaAccess) -> None:
    log = TopicLog(kafka)
    definitions, text = Definitions(live.name, kafka, log), live.file.read_text()
    assert definitions.publish(live.pipeline, text, "ada", "", -1).offset == 0
    with pytest.raises(ConfigurationFailed, match="came first"):
        definitions.publish(live.pipeline, text, "bob", "", -1)
    assert definitions.versions().offset == 0
    log.close()


def test_a_pipeline_that_is_older_than_its_versions_runs_with_its_file(live: Live, kafka: KafkaAccess) -> None:
    topic, admin = topic_name(live.name, CONFIG), AdminClient(kafka.librdkafka())
    admin.delete_topics([topic])[topic].result(30)
    wait_for(lambda: topic not in admin.list_topics(timeout=10).topics, 30)
    assert in_force(live.pipeline, kafka) == (live.pipeline, -1)


def test_a_broker_that_does_not_answer_is_no_pipeline_without_versions(
        live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafka_access.definition.ANSWER_SECONDS", 0.5)
    with pytest.raises(UnreadableDefinition, match="see to the broker"):
        in_force(live.pipeline, KafkaAccess(servers="127.0.0.1:1"))


def windows(live: Live, first: int, end: int) -> None:
    """Events of both partitions for the windows from `first` to `end` (exclusive), ten seconds each."""
    for number in range(first, end):
        for place in range(40):
            ts = START + number * 10_000 + place * 250
            live.write(EVENTS, place % 2, event_bytes(f"{number}-{place}", ts, a=5.0), key=b"k")


@pytest.mark.timeout(280)
def test_a_running_monitor_judges_by_the_new_version_and_a_restarted_one_goes_on_with_it(
        live: Live, shell: Shell) -> None:
    live.announce(1.0, -1)
    live.start("score")
    monitor = live.start("monitor")
    windows(live, 0, 4)
    live.until(lambda: live.count(DRIFT_STATS) == 3, "reports by the file", 120)
    shell.edit("[drift]", "[drift]\nmin_effect = 1000.0")
    assert shell()[0] == 0
    live.until(lambda: b"a new version of the definition" in live.log("monitor").read_bytes(), "the monitor to hear", 5)
    before = live.count(DRIFT_STATS)
    windows(live, 4, 8)
    live.until(lambda: live.count(DRIFT_STATS) >= before + 4, "reports by the version", 120)
    live.kill(monitor)
    live.start("monitor")
    windows(live, 8, 11)
    live.until(lambda: live.count(DRIFT_STATS) >= before + 7, "reports after a restart", 120)
    reports = [decode(r.value or b"", DriftReport) for r in live.records(DRIFT_STATS)]
    assert [r.config for r in reports] == [-1] * before + [0] * (len(reports) - before)
    assert any(r.alarm for r in reports[:before])
    assert not any(r.alarm for r in reports[before:])
