"""The whole trainer on a real broker and a real MLflow store."""

import os
from collections.abc import Callable

import msgspec
import pytest
from mlflow import MlflowClient

from schemas.messages import Command, CommandAction, DriftAlert, LabelledEvent, Model
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS, topic_name
from tests.trainer.workbench import Workbench, wait_for
from trainer.announce import Announcer, Parts
from trainer.errors import AlreadyBootstrapped, BadArtifact, LostSlot, UnusableRows
from trainer.reproduce import reproduce

# MLflow's dependencies deprecate each other; what they say is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.timeout(280)]

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]


def test_bootstrap_trains_registers_and_announces_version_1(bench: Workbench, stream: Stream) -> None:
    summary = bench.bootstrap(stream(bench.pipeline, 0, 300))
    current = bench.models().current
    assert current is not None
    assert (current.epoch, current.announcement.version, summary.rows) == (0, "1", 300)
    assert [d.verdict for d in bench.decisions()] == ["trained", "promoted"]
    assert bench.state().champion_epoch == 0
    client = MlflowClient(bench.connections.registry.tracking_uri)
    assert str(client.get_model_version_by_alias(bench.pipeline.name, "champion").version) == "1"


def test_bootstrap_refuses_where_a_model_is_accepted(bench: Workbench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.bootstrap(rows)
    with pytest.raises(AlreadyBootstrapped, match="version 1"):
        bench.bootstrap(rows)
    assert len(bench.announcements()) == 1


def test_bootstrap_goes_on_after_a_crash_between_its_rows(bench: Workbench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.label(rows[:120])
    bench.bootstrap(rows)
    assert bench.state().covered == 300


def test_bootstrap_refuses_a_log_with_rows_of_another_file(bench: Workbench, stream: Stream) -> None:
    rows = stream(bench.pipeline, 0, 300)
    bench.label([msgspec.structs.replace(rows[0], source="bootstrap-beef-0")])
    with pytest.raises(UnusableRows, match="bootstrap-beef-0"):
        bench.bootstrap(rows)


def test_labelled_rows_lead_to_an_announced_promotion(bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.start()
    bench.label(stream(bench.pipeline, 300, 600))
    bench.wait_until_covered()
    current = bench.models().current
    assert current is not None
    assert current.epoch == bench.state().champion_epoch > 0
    assert "promoted" in {d.verdict for d in bench.decisions() if d.trigger == "refresh"}
    wait_for(lambda: not bench.without_pictures())
    assert bench.aliases() == {"champion": current.announcement.version}


def test_an_alert_opens_an_incident_that_settles_with_a_new_profile(bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.alert(DriftAlert(
        alert_id="a1", kind="covariate", window_start=300_000, window_end=310_000, scale=1, onset=300_000,
        features=["x"], sentence="x moved", budget="", profile="", labelled_offset=300,
        model=Model(version="1", digest="", epoch=0)))
    bench.label(stream(bench.pipeline, 300, 800))
    bench.start()
    bench.wait_until_covered()
    verdicts = [(d.trigger, d.verdict) for d in bench.decisions() if d.incident_id is not None]
    assert verdicts[0] == ("alert: covariate", "deferred")
    assert verdicts[-1] == ("incident", "settled")
    renewed = [a for a in bench.models().accepted if a.announcement.reason == "profile"]
    assert len(renewed) == 1
    assert renewed[0].profile_epoch == renewed[0].epoch


def test_commands_are_obeyed_at_their_row_and_an_earlier_version_serves_again_as_the_registry_holds_it(
        bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.label(stream(bench.pipeline, 300, 700))
    words: list[tuple[CommandAction, int, float | None]] = [
        ("pause", 300, None), ("resume", 350, None), ("promote", 600, 0.25), ("rollback", 10**9, None)]
    for number, (action, at, share) in enumerate(words):
        bench.command(Command(command_id=f"k{number}", action=action, version="1" if share else None, share=share,
                              by="ada", labelled_offset=at, issued_at=0))
    bench.start()
    bench.wait_until_covered()
    said = [(d.trigger, d.verdict, d.at, d.by) for d in bench.decisions() if d.by is not None]
    assert said == [("command: pause", "paused", 300, "ada"), ("command: resume", "resumed", 350, "ada"),
                    ("command: promote", "canary", 600, "ada"), ("command: rollback", "rolled-back", 700, "ada")]
    canary = bench.models().canaries[0].announcement
    assert (canary.version, canary.share) == ("1", 0.25)
    serving = bench.models().current
    assert serving is not None
    wait_for(lambda: bench.aliases() == {"champion": serving.announcement.version})
    assert {str(v.version) for v in bench.versions().values()} == {a.version for a in bench.announcements()}


def test_a_version_of_the_definition_applies_before_its_row_and_outlives_a_restart(
        bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    assert bench.pipeline.retraining.refresh_labels == 100
    rarely = bench.definition.replace("refresh_labels = 100", "refresh_labels = 100000")
    bench.configure(rarely, labelled_offset=500)
    bench.label(stream(bench.pipeline, 300, 700))
    doomed = bench.start()
    bench.wait_until_covered()
    assert bench.state().covered_config == 1
    doomed.kill()
    doomed.wait()
    bench.start()
    bench.label(stream(bench.pipeline, 700, 900))
    bench.wait_until_covered()
    trained = [d.at for d in bench.decisions() if d.verdict == "trained" and d.trigger == "refresh"]
    assert trained == [350, 450]


def test_an_announcement_against_a_former_champion_is_lost(bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    announcer = Announcer(bench.pipeline, bench.reader, bench.writer, lambda: 1)
    parts = Parts(announcer.store(b"model"), announcer.store(b"profile"))
    announcer.announce(0, "2", parts, "test", "d2")
    with pytest.raises(LostSlot):
        announcer.announce(0, "3", parts, "test", "d3")


def test_an_artifact_of_several_chunks_is_read_back_verified(bench: Workbench) -> None:
    announcer = Announcer(bench.pipeline, bench.reader, bench.writer, lambda: 1)
    data = os.urandom(1_300_000)
    artifact = announcer.store(data)
    assert announcer.load(artifact) == data
    bench.writer.write(topic_name(bench.pipeline.name, MODEL_ARTIFACTS), "other/0", b"noise")
    with pytest.raises(BadArtifact, match="announce it again"):
        announcer.load(msgspec.structs.replace(artifact, digest="0" * 64))


def test_what_was_promoted_is_reproduced_from_the_topics(bench: Workbench, stream: Stream) -> None:
    bench.bootstrap(stream(bench.pipeline, 0, 300))
    bench.start()
    bench.label(stream(bench.pipeline, 300, 900))
    bench.wait_until_covered()
    promoted = [d for d in bench.decisions() if d.verdict == "promoted"]
    assert len(promoted) >= 3
    for decision in promoted:
        found = reproduce(bench.pipeline, decision.decision_id, bench.reader, lambda _: None)
        assert (found.identical, found.environment) == (True, [])
    code, said = bench.reproduce(promoted[-1].decision_id)
    assert (code, "identical: " in said) == (0, True)
    code, said = bench.reproduce("nobody")
    assert code == 2
    assert promoted[-1].decision_id in said
