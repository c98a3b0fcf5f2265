"""What the gate says as labels come: rollbacks, canaries, the breaker, poisoned labels."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.messages import LabelledEvent, Model
from schemas.pipeline import Pipeline, Rollout
from trainer.candidates import FittedExpert
from trainer.history import History, Rows

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
Run = Callable[..., Any]

FIRST = 300
NEVER = 10**6
SERVED = Model(version="1", digest="", epoch=0)

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def begin(make_pipeline: Callable[..., Pipeline], stream: Stream, make_driver: Callable[..., Any]) -> Run:
    """A driver behind its first model, with the fast family alone; all drivers of the module share their fits."""
    fits: dict[Any, Any] = {}

    def make(rows: list[LabelledEvent] | None = None, golden: list[LabelledEvent] | None = None, canary: float = 0.0,
             slices: tuple[str, ...] = (), **retraining: object) -> Any:
        pipeline = make_pipeline()
        wanted = replace(pipeline.retraining, families=("logistic",), **retraining)
        pipeline = replace(pipeline, retraining=wanted, rollout=Rollout(canary_share=canary),
                           gate=replace(pipeline.gate, slices=slices))
        return make_driver(pipeline, stream(pipeline, 0, FIRST) if rows is None else rows, fits, golden)

    return make


Flip = Callable[[LabelledEvent, random.Random], bool]


def steady(pipeline: Pipeline, first: int, last: int, flip: Flip | None = None,
           rule: float = 1.0) -> list[LabelledEvent]:
    """Rows of a stream whose rule stays; `flip`: whose labels are wrong; `rule` -1 turns it around."""
    def row(number: int) -> LabelledEvent:
        chance = random.Random(number)
        x, y, colour = chance.gauss(0, 1), chance.gauss(0, 1), chance.choice("rgbcmykw")
        made = LabelledEvent(
            event_id=str(number), entity="", ts=number * 1_000, source=f"T-0-{number}",
            pipeline_digest=pipeline.digest, features=[x, y, colour, x > 0],
            label="yes" if rule * x + 0.5 * y + chance.gauss(0, 0.3) > 0 else "no", labelled_ts=number * 1_000)
        wrong = flip is not None and flip(made, chance)
        return replace(made, label="no" if made.label == "yes" else "yes") if wrong else made
    return [row(number) for number in range(first, last)]


def test_a_bad_champion_is_undone_within_its_labels_on_record_and_nothing_is_retrained_for_it(
        begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.rows(stream(driver.pipeline, FIRST, 900))
    good = driver.champion
    assert good != "1"
    driver.command("promote", "1")
    assert driver.champion == "1"
    before = [d for d in driver.decisions if d.verdict == "trained"]
    driver.rows(stream(driver.pipeline, 900, 980))
    undone = next(d for d in driver.decisions if d.verdict == "rolled-back")
    assert (undone.verdict, undone.version, driver.champion) == ("rolled-back", good, good)
    assert undone.at - 900 <= 80
    assert undone.gate.evidence >= 3.0
    trained = [d for d in driver.decisions if d.verdict == "trained"][len(before):]
    assert {d.trigger for d in trained} <= {"refresh"}
    driver.rows(stream(driver.pipeline, 980, 1_200))
    assert "rolled-back" not in [d.verdict for d in driver.decisions if d.at > undone.at]


def test_what_was_rolled_back_left_the_pool_and_a_champion_off_probation_is_not_undone(
        begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.rows(stream(driver.pipeline, FIRST, 900))
    driver.command("promote", "1")
    driver.rows(stream(driver.pipeline, 900, 980))
    assert "1" not in {e.version for e in driver.session.snapshot().experts}
    over = begin(refresh_labels=0)
    over.pipeline = replace(over.pipeline, gate=replace(over.pipeline.gate, probation_rows=10))
    over.resume(over.session.snapshot())
    over.command("refresh")
    over.rows(stream(over.pipeline, FIRST, 900))
    assert "rolled-back" not in [d.verdict for d in over.decisions]


def test_a_worse_canary_is_withdrawn_and_a_better_one_promoted_with_the_labels_it_took(
        begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.rows(stream(driver.pipeline, FIRST, 900))
    good = driver.champion
    driver.command("promote", "1", 0.1)
    assert driver.promotions[-1].share == 0.1
    driver.rows(stream(driver.pipeline, 900, 980))
    withdrawn = next(d for d in driver.decisions if d.verdict == "withdrawn")
    assert (withdrawn.version, driver.champion) == ("1", good)
    assert withdrawn.reason == f"the canary was worse after {withdrawn.at - 900} labels"
    assert driver.withdrawals[-1].replaces == driver.session.snapshot().canary_epoch - 1
    better = begin(refresh_labels=0, canary=0.1)
    better.rows(stream(better.pipeline, FIRST, 900))
    better.command("refresh")
    better.rows(stream(better.pipeline, 900, 1_200))
    verdicts = [d for d in better.decisions if d.verdict in ("canary", "promoted")]
    assert [d.verdict for d in verdicts] == ["canary", "promoted"]
    assert verdicts[1].reason == f"the canary was better after {verdicts[1].at - verdicts[0].at} labels"
    assert better.champion == verdicts[0].version


def test_a_drift_that_retraining_cannot_mend_opens_the_breaker_and_says_so(begin: Run, stream: Stream) -> None:
    driver = begin()
    noise = [replace(row, label=random.Random(row.ts).choice(["yes", "no"]))
             for row in stream(driver.pipeline, FIRST, 1_500)]
    driver.rows(noise[:50])
    driver.alert(FIRST)
    driver.rows(noise[50:])
    opened = [d for d in driver.decisions if d.verdict == "paused"]
    assert [d.trigger for d in opened] == ["breaker"]
    assert "after 3 rounds of training nobody says more" in opened[0].reason
    assert max(d.at for d in driver.decisions if d.verdict in ("trained", "promoted")) <= opened[0].at < 1_400
    driver.alert(1_400, "a2")
    assert (driver.decisions[-1].verdict, driver.decisions[-1].reason[:7]) == ("suppressed", "paused:")
    driver.command("resume")
    assert driver.session.snapshot().paused is None
    driver.alert(1_450, "a3")
    assert driver.session.snapshot().incident is not None


def test_a_thousand_alerts_for_one_change_make_one_incident_and_never_two_trainings_at_a_time(
        begin: Run, stream: Stream) -> None:
    driver = begin(refresh_labels=0)
    driver.rows(stream(driver.pipeline, FIRST, 400))
    for number in range(1_000):
        driver.alert(380, f"a{number}")
        if number % 4 == 0:
            driver.rows(stream(driver.pipeline, 400 + number // 4, 401 + number // 4))
    incidents = {d.incident_id for d in driver.decisions if d.incident_id is not None}
    assert len(incidents) == 1
    open_rounds = 0
    for decision in driver.decisions:
        if decision.trigger == "incident" and decision.verdict in ("trained", "promoted", "rejected", "failed"):
            open_rounds += 1 if decision.verdict == "trained" else -1
            assert open_rounds <= 1
    assert [d.verdict for d in driver.decisions].count("trained") <= 4


def one_way(event: LabelledEvent, chance: random.Random) -> bool:
    return event.label == "no" and chance.random() < 0.35


def segment(event: LabelledEvent, chance: random.Random) -> bool:
    del chance
    return event.features[2] == "r"


@pytest.mark.parametrize("poison", [one_way, segment])
def test_poisoned_labels_promote_without_a_golden_set_and_are_deferred_with_one(
        begin: Run, make_pipeline: Callable[..., Pipeline], poison: Callable[..., bool]) -> None:
    pipeline = make_pipeline()
    clean = steady(pipeline, 0, FIRST)
    poisoned = steady(pipeline, FIRST, 900, poison)
    naive = begin(clean)
    naive.rows(poisoned)
    assert naive.champion != "1"
    guarded = begin(clean, steady(pipeline, NEVER, NEVER + 800), slices=("colour",))
    guarded.rows(poisoned)
    assert guarded.champion == "1"
    deferred = [d for d in guarded.decisions if d.verdict == "deferred"]
    assert deferred
    assert all(d.reason.startswith("worse on the golden set") and d.gate.golden == "f00d" for d in deferred)


def test_a_clean_drift_is_promoted_past_a_golden_set_that_knows_it_and_deferred_by_one_out_of_date(
        begin: Run, make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline()
    clean, turned = steady(pipeline, 0, FIRST), steady(pipeline, FIRST, 900, rule=-1.0)
    known = begin(clean, steady(pipeline, NEVER, NEVER + 400, rule=-1.0))
    known.rows(turned)
    assert known.champion != "1"
    old = begin(clean, steady(pipeline, NEVER, NEVER + 400))
    old.rows(turned)
    assert old.champion == "1"
    waiting = next(d for d in old.decisions if d.verdict == "deferred")
    old.command("promote", waiting.decision_id)
    overruled = old.decisions[-1]
    assert (overruled.verdict, overruled.by, overruled.recipe) == ("promoted", "ada", waiting.recipe)


def test_on_a_steady_stream_no_answer_is_lost_by_retraining(
        begin: Run, make_pipeline: Callable[..., Pipeline]) -> None:
    pipeline = make_pipeline()
    driver = begin(steady(pipeline, 0, FIRST))
    rows = steady(pipeline, FIRST, 2_300)
    history = History(pipeline)
    frozen = serving = driver.first_expert
    gained = 0
    for start in range(0, len(rows), 100):
        asked = history.rows_of(rows[start : start + 100])
        gained += right(serving, asked) - right(frozen, asked)
        driver.rows(rows[start : start + 100])
        serving = driver.promotions[-1].expert if driver.promotions else frozen
    assert gained / len(rows) > -0.005


def right(expert: FittedExpert, rows: Rows) -> int:
    answers = expert.predict(rows).argmax(axis=1)
    return sum(expert.metadata.classes[k] == label for k, label in zip(answers, rows.labels, strict=True))


def test_an_incident_does_not_settle_while_a_canary_is_tried_and_settles_after_it(begin: Run, stream: Stream) -> None:
    driver = begin(refresh_labels=0, canary=0.1, min_new_labels=50)
    driver.rows(stream(driver.pipeline, FIRST, 600))
    driver.alert(580)
    driver.rows(stream(driver.pipeline, 600, 2_200))
    kinds = ("canary", "promoted", "withdrawn", "settled")
    spoken = [(d.verdict, d.trigger) for d in driver.decisions if d.verdict in kinds]
    assert spoken[0] == ("canary", "incident")
    assert all(after[1] == "canary" for (verdict, _), after in pairwise(spoken) if verdict == "canary")
    assert "promoted" in {verdict for verdict, _ in spoken}
    assert ("settled", "incident") in spoken
    assert driver.session.snapshot().incident is None


def test_an_incident_without_a_row_that_counts_ends_and_the_reference_stays(begin: Run, stream: Stream) -> None:
    driver = begin(refresh_labels=0, min_new_labels=10, label_quota=0.5)  # of one labeller nothing is within the quota
    driver.alert(FIRST)
    driver.rows([replace(row, labeller="ada", model=SERVED) for row in stream(driver.pipeline, FIRST, FIRST + 200)])
    (settled,) = [d for d in driver.decisions if d.verdict == "settled"]
    assert settled.reason.endswith("the reference stays")
    assert driver.profiles == []
