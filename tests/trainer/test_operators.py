"""Commands, and a trainer that dies anywhere."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.configuration import Version
from schemas.messages import Command, Configuration, DriftAlert, LabelledEvent, Model, TrainingDecision
from schemas.pipeline import Pipeline
from tests.tiny import tiny_pipeline
from trainer.history import History, Rows
from trainer.service import in_order

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
Run = Callable[..., Any]

FIRST = 300

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def begin(make_pipeline: Callable[..., Pipeline], stream: Stream, make_driver: Callable[..., Any]) -> Run:
    """A driver behind its first model, with the fast family alone; all drivers of the module share their fits."""
    fits: dict[Any, Any] = {}

    def make(rows: int = 0, **retraining: object) -> Any:
        pipeline = make_pipeline()
        wanted = replace(pipeline.retraining, families=("logistic",), **retraining)
        driver = make_driver(replace(pipeline, retraining=wanted), stream(pipeline, 0, FIRST), fits)
        if rows:
            driver.rows(stream(driver.pipeline, FIRST, FIRST + rows))
        return driver

    return make


def last(driver: Any) -> TrainingDecision:
    return driver.decisions[-1]


def test_while_paused_nothing_happens_by_itself_and_after_resume_it_does(begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.command("pause")
    assert (last(driver).verdict, last(driver).by, last(driver).at) == ("paused", "ada", FIRST)
    driver.alert(FIRST)
    assert (last(driver).verdict, last(driver).reason) == ("suppressed", "paused: ada")
    driver.rows(stream(driver.pipeline, FIRST, 600))
    driver.command("refresh")
    assert (last(driver).verdict, last(driver).reason) == ("rejected", "paused: ada; resume first")
    assert {d.verdict for d in driver.decisions} == {"paused", "suppressed", "rejected"}
    driver.command("resume")
    assert last(driver).verdict == "resumed"
    driver.rows(stream(driver.pipeline, 600, 700))
    assert "promoted" in [d.verdict for d in driver.decisions]


def test_an_erasure_is_nothing_to_decide(begin: Run) -> None:
    driver = begin()
    before = driver.session.snapshot()
    driver.command("erase")
    assert driver.decisions == []
    assert replace(driver.session.snapshot(), covered_commands=before.covered_commands) == before


def test_what_passes_the_gate_while_paused_awaits_an_operators_word(begin: Run, stream: Stream) -> None:
    driver = begin(260)
    driver.command("refresh")
    driver.command("pause")
    champion = driver.champion
    driver.rows(stream(driver.pipeline, FIRST + 260, FIRST + 400))
    waiting = next(d for d in driver.decisions if d.verdict == "deferred")
    assert driver.champion == champion
    driver.command("promote", waiting.decision_id)
    said = last(driver)
    assert said.gate is not None
    assert (said.verdict, said.recipe, said.gate.rule) == ("promoted", waiting.recipe, "operator")
    assert driver.session.snapshot().champion.recipe == waiting.recipe


def test_a_refresh_trains_at_once_on_every_row_there_is(begin: Run) -> None:
    driver = begin(30)
    driver.command("refresh")
    assert (last(driver).verdict, last(driver).trigger, last(driver).by) == ("trained", "command: refresh", "ada")
    dataset = last(driver).dataset
    assert dataset is not None
    assert dataset.last == FIRST + 29


def test_an_earlier_champion_is_promoted_also_when_it_left_the_pool_long_ago_and_keeps_its_version(
        begin: Run) -> None:
    driver = begin(900, pool=1)
    state = driver.session.snapshot()
    assert "1" not in {e.version for e in state.experts}
    driver.command("promote", "1")
    assert (last(driver).verdict, last(driver).version) == ("promoted", "1")
    assert driver.champion == "1"
    first = [event for _, event in driver.log[:5]]
    asked = driver.promotions[-1].expert.losses(rows_of(driver, first), 1.0)
    assert asked == driver.first_expert.losses(rows_of(driver, first), 1.0)


def rows_of(driver: Any, events: list[LabelledEvent]) -> Rows:
    return History(driver.pipeline).rows_of(events)


def test_rollbacks_go_back_champion_by_champion(begin: Run) -> None:
    driver = begin(500)
    former = list(driver.session.snapshot().former)
    assert former[0] == "1"
    assert len(former) >= 2
    for version in reversed(former):
        driver.command("rollback")
        assert (last(driver).verdict, last(driver).version, driver.champion) == ("rolled-back", version, version)
    driver.command("rollback")
    assert (last(driver).verdict, driver.champion) == ("rejected", "1")
    assert "no champion before" in last(driver).reason


@pytest.mark.parametrize(("version", "words"), [
    ("77", "no decision gave the registry a version 77"), (None, "no version is named"), ("1", "version 1 serves")])
def test_what_cannot_be_promoted_is_rejected_with_the_reason(begin: Run, version: str | None, words: str) -> None:
    driver = begin()
    driver.command("promote", version)
    assert last(driver).verdict == "rejected"
    assert words in last(driver).reason
    assert driver.promotions == []


def test_a_version_whose_rows_are_no_longer_kept_is_rejected(begin: Run) -> None:
    driver = begin(900, pool=1, max_rows=400)
    driver.command("promote", "1")
    assert last(driver).verdict == "rejected"
    assert "no longer all kept" in last(driver).reason


def test_resume_without_a_pause_is_rejected(begin: Run) -> None:
    driver = begin()
    driver.command("resume")
    assert (last(driver).verdict, last(driver).reason) == ("rejected", "nothing is paused")


def test_alerts_and_commands_apply_in_the_order_of_their_rows() -> None:
    def alert(at: int) -> Any:
        return DriftAlert(alert_id=f"a{at}", kind="concept", window_start=0, window_end=0, scale=1, onset=0,
                          features=[], sentence="", budget="", profile="", labelled_offset=at,
                          model=Model(version="1", digest="", epoch=0))

    def command(at: int) -> Any:
        return Command(command_id=f"c{at}", action="pause", by="", labelled_offset=at, issued_at=0)

    merged = in_order([(0, alert(5)), (1, alert(9))], [(0, command(3)), (1, command(5)), (2, command(20))])
    assert [word.alert_id if isinstance(word, DriftAlert) else word.command_id for _, word in merged] == [
        "c3", "a5", "c5", "a9", "c20"]


def test_a_version_of_the_definition_applies_behind_alerts_and_commands_of_its_row() -> None:
    command = Command(command_id="c5", action="pause", by="", labelled_offset=5, issued_at=0)

    def version(at: int) -> Any:
        return Version(offset=at, pipeline=tiny_pipeline(), configuration=Configuration(
            text="", digest="", replaces=-1, by="", labelled_offset=at, issued_at=0))

    merged = in_order([(0, command)], [(0, version(3)), (1, version(5))])
    assert [word.labelled_offset for _, word in merged] == [3, 5, 5]
    assert merged[1] == (0, command)


def test_a_version_of_the_definition_changes_the_next_decision_and_a_restart_goes_on_with_it(
        begin: Run, stream: Stream) -> None:
    driver = begin()
    wanted = replace(driver.pipeline, retraining=replace(driver.pipeline.retraining, refresh_labels=40))
    driver.configure(0, wanted)
    driver.rows(stream(driver.pipeline, FIRST, FIRST + 40))
    trained = [d.at for d in driver.decisions if d.verdict == "trained"]
    assert trained
    assert trained[0] < FIRST + 40
    assert driver.saved.covered_config == 1
    again = begin()
    again.pipeline = wanted  # as the trainer recalls it by covered_config
    again.log = list(driver.log)
    again.resume(driver.saved)
    assert again.session.snapshot() == driver.session.snapshot()


def story(driver: Any, stream: Stream, begin: int) -> None:
    """What happens from the row `begin` on: rows, an alert, commands, a canary; what is covered is left out."""
    state = driver.session.snapshot()
    words = [(420, 0, lambda: driver.alert(400)), (520, 0, lambda: driver.command("refresh")),
             (600, 1, lambda: driver.command("promote", "1", 0.2)), (640, 2, lambda: driver.command("rollback")),
             (700, 3, lambda: driver.command("pause")), (720, 4, lambda: driver.command("resume"))]
    for at, number, say in words:
        covered = state.covered_alerts if at == 420 else state.covered_commands
        if begin < at:
            driver.rows(stream(driver.pipeline, begin, at), 70)
            begin = at
        if number >= covered:
            say()
    driver.rows(stream(driver.pipeline, begin, 860), 70)


def test_killed_after_any_effect_the_story_ends_the_same(begin: Run, stream: Stream, make_killed: type) -> None:
    whole = begin()
    story(whole, stream, FIRST)
    assert {"promoted", "trained", "canary", "rolled-back", "paused", "resumed"} <= {d.verdict for d in whole.decisions}
    for killed_after in range(1, whole.effects, 3):
        driver = begin()
        driver.killed_after = killed_after
        with pytest.raises(make_killed):
            story(driver, stream, FIRST)
        driver.resume(driver.saved)
        story(driver, stream, driver.saved.covered)
        said = {(d.decision_id, d.verdict): d for d in driver.decisions}
        assert list(said.values()) == whole.decisions
        assert driver.session.snapshot() == whole.session.snapshot()
