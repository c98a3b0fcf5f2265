"""The trainer's decisions, without Kafka and MLflow."""

from collections.abc import Callable
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.codec import decode, encode
from schemas.messages import LabelledEvent, TrainerState
from schemas.pipeline import Pipeline
from trainer.errors import TrainerError
from trainer.tuning import Tuner

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
Run = Callable[..., Any]

FIRST, LAST, ALERT_AT = 300, 1_000, 430

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def begin(make_pipeline: Callable[..., Pipeline], stream: Stream, make_driver: Callable[..., Any]) -> Run:
    """A driver behind its first model, with the fast family alone; all drivers of the module share their fits."""
    fits: dict[Any, Any] = {}

    def make(tuner: Tuner | None = None, **retraining: object) -> Any:
        pipeline = make_pipeline()
        wanted = replace(pipeline.retraining, families=("logistic",), **retraining)
        pipeline = replace(pipeline, retraining=wanted)
        return make_driver(pipeline, stream(pipeline, 0, FIRST), fits, tuner=tuner)

    return make


@pytest.fixture(scope="module")
def whole(begin: Run, stream: Stream) -> Any:
    """One run over everything: refreshes, and an incident that an alert opens."""
    driver = begin()
    driver.rows(stream(driver.pipeline, FIRST, ALERT_AT))
    driver.alert(ALERT_AT - 20)
    driver.rows(stream(driver.pipeline, ALERT_AT, LAST))
    return driver


def test_a_refresh_is_trained_min_rows_before_its_period_ends_and_judged_at_its_end(whole: Any) -> None:
    refreshes = [(verdict, at) for trigger, verdict, at in whole.verdicts() if trigger == "refresh"]
    assert [at for verdict, at in refreshes if verdict == "trained"] == [350, 450, 550, 650, 750, 850, 950]
    assert [at for verdict, at in refreshes if verdict != "trained"] == [400, 500, 600, 700, 800, 900, 1_000]


def test_fits_that_took_twice_their_budget_make_the_next_refresh_wait_twice_as_long(begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.fits_take = 2 * driver.pipeline.retraining.fit_seconds
    driver.rows(stream(driver.pipeline, FIRST, LAST))
    trained = [d for d in driver.decisions if d.verdict == "trained"]
    assert [d.at for d in trained] == [350, 550, 750, 950]
    assert ["wait" in d.reason for d in trained] == [False, True, True, True]
    assert driver.saved.stretch == 2


def test_an_incident_trains_when_it_has_its_labels_and_settles_with_a_profile_of_the_rows_since(whole: Any) -> None:
    (renewed,) = whole.profiles
    assert renewed.rows.ts.min() == (ALERT_AT - 20) * 1_000
    incident = [d for d in whole.decisions if d.incident_id is not None]
    assert incident[0].verdict == "deferred"
    assert [d.at - (ALERT_AT - 20) for d in incident if d.verdict == "trained"] == [50]
    assert incident[-1].verdict == "settled"
    assert whole.session.snapshot().incident is None


def test_each_promotion_replaces_the_champion_before_it(whole: Any) -> None:
    replaced = [effect.replaces for effect in sorted([*whole.promotions, *whole.profiles],
                                                     key=lambda effect: effect.replaces)]
    assert replaced == list(range(len(replaced)))
    assert whole.session.snapshot().champion_epoch == len(replaced)


def test_no_contender_is_judged_on_rows_that_it_was_fitted_on(whole: Any) -> None:
    for decision in whole.decisions:
        if decision.verdict in ("promoted", "rejected"):
            assert all(c.recipe.dataset.last + 1 + c.rows == decision.at for c in decision.candidates)


def test_a_promoted_models_predictions_are_referred_to_fresh_rows_that_came_after_its_fit(whole: Any) -> None:
    judged = {d.decision_id: d for d in whole.decisions if d.verdict == "promoted"}
    for promotion in whole.promotions:
        first, end = promotion.recipe.dataset.last + 1, judged[promotion.decision_id].at
        assert promotion.answered.ts.tolist() == [event.ts for _, event in whole.log[first:end]]


def test_a_renewed_profile_comes_with_what_the_champion_said_since_the_onset_and_after_its_fit(whole: Any) -> None:
    (renewed,) = whole.profiles
    settled = next(d for d in whole.decisions if d.verdict == "settled")
    fits = [p.recipe.dataset.last for p in whole.promotions if p.replaces < renewed.replaces]
    first = max(ALERT_AT - 20, fits[-1] + 1)
    assert renewed.answered.ts.tolist() == [event.ts for _, event in whole.log[first:settled.at]]
    assert set(renewed.answered.ts) <= set(renewed.rows.ts)


def test_candidates_are_all_families_on_all_windows_and_since_the_onset_in_an_incident(whole: Any) -> None:
    trained = {d.trigger: {c.recipe.window for c in d.candidates} for d in whole.decisions if d.verdict == "trained"}
    assert trained["incident"] == {200, "all", "onset"}
    quiet = [d for d in whole.decisions if d.verdict == "trained" and d.at < ALERT_AT]
    assert {c.recipe.window for d in quiet for c in d.candidates} == {200, "all"}


def test_a_round_is_on_record_before_the_next_row(whole: Any) -> None:
    """How long its fits took decides when the next is due: a trainer that comes again does not measure that anew."""
    assert {d.at for d in whole.decisions if d.verdict == "trained"} <= {state.covered for state in whole.checkpoints}


def test_without_refresh_labels_only_alerts_train(begin: Run, stream: Stream) -> None:
    driver = begin(refresh_labels=0)
    driver.rows(stream(driver.pipeline, FIRST, 600))
    assert driver.verdicts() == []
    driver.alert(600)
    driver.rows(stream(driver.pipeline, 600, 700))
    assert driver.verdicts()[0] == ("alert: covariate", "deferred", 600)
    assert driver.verdicts()[1] == ("incident", "trained", 650)


def test_duplicates_and_revisions_are_neither_judged_nor_counted(begin: Run, stream: Stream) -> None:
    driver, twin = begin(), begin()
    rows = stream(driver.pipeline, FIRST, FIRST + 40)
    driver.rows(rows)
    twin.rows([*rows, rows[0], replace(rows[1], revision=1), rows[2]])
    one, other = driver.session.snapshot(), twin.session.snapshot()
    assert (one.labels, one.champion) == (other.labels, other.champion)
    assert other.covered == one.covered + 3


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(FIRST + 1, LAST - 1), batch=st.integers(1, 400))
def test_killed_after_any_row_and_cut_into_any_batches_the_decisions_are_the_same(
        begin: Run, stream: Stream, whole: Any, cut: int, batch: int) -> None:
    driver = begin()

    def killed_and_resumed() -> None:
        driver.resume(decode(encode(driver.session.snapshot()), TrainerState))

    borders = sorted({FIRST, ALERT_AT, cut, LAST})
    for first, last in pairwise(borders):
        driver.rows(stream(driver.pipeline, first, last), batch)
        if last == cut:
            killed_and_resumed()
        if last == ALERT_AT:
            driver.alert(ALERT_AT - 20)
            killed_and_resumed()
    assert driver.decisions == whole.decisions
    assert driver.session.snapshot() == whole.session.snapshot()
    assert answered(driver) == answered(whole)


def answered(driver: Any) -> list[list[int]]:
    """Rows of which each promotion's and each renewed profile's reference of predictions is made."""
    return [effect.answered.ts.tolist() for effect in (*driver.promotions, *driver.profiles)]


def test_any_checkpoint_leads_to_the_same_end(begin: Run, whole: Any) -> None:
    for state in whole.checkpoints[::4]:
        driver = begin()
        driver.log = list(whole.log)
        driver.resume(state)
        driver.answers_like(whole)
        if state.covered_alerts == 0 and state.covered <= ALERT_AT:
            driver.rows([event for _, event in whole.log[state.covered : ALERT_AT]])
            driver.alert(ALERT_AT - 20)
            driver.rows([event for _, event in whole.log[ALERT_AT:]] if len(whole.log) > ALERT_AT else [])
        else:
            driver.rows([event for _, event in whole.log[state.covered :]])
        assert driver.session.snapshot() == whole.session.snapshot()


def test_a_log_with_other_rows_than_the_state_knows_is_refused(begin: Run) -> None:
    driver = begin()
    state = driver.session.snapshot()
    driver.log[7] = (7, replace(driver.log[7][1], label="no" if driver.log[7][1].label == "yes" else "yes"))
    with pytest.raises(TrainerError, match="hold other rows"):
        driver.resume(state)
    driver.log = driver.log[:100]
    with pytest.raises(TrainerError, match="ends before offset 299"):
        driver.resume(state)


def test_an_incident_whose_rounds_cannot_be_fitted_is_given_up_by_the_breaker(begin: Run, stream: Stream) -> None:
    driver = begin(refresh_labels=0, min_new_labels=10)
    driver.alert(FIRST)
    driver.fail_fits = True
    driver.rows(stream(driver.pipeline, FIRST, FIRST + 80))
    verdicts = [verdict for _, verdict, _ in driver.verdicts()]
    assert verdicts == ["deferred", *["trained", "failed"] * 3, "paused", "settled"]
    assert driver.decisions[-1].reason.startswith("given up")


def test_an_alert_said_again_changes_nothing_but_where_the_alerts_are_covered(begin: Run) -> None:
    driver = begin(refresh_labels=0)
    driver.alert(FIRST)
    once, said = driver.session.snapshot(), list(driver.decisions)
    driver.alert(FIRST)
    assert driver.session.snapshot() == replace(once, covered_alerts=once.covered_alerts + 1)
    assert driver.decisions == said
    assert driver.checkpoints[-1] == driver.session.snapshot()
    driver.alert(FIRST, "a2")
    assert len(driver.decisions) == len(said) + 1


def test_a_round_with_more_rows_than_a_lowered_gate_asks_for_is_judged_at_the_next_row(
        begin: Run, stream: Stream) -> None:
    driver = begin()
    driver.rows(stream(driver.pipeline, FIRST, 380))
    assert driver.verdicts() == [("refresh", "trained", 350)]
    driver.pipeline = replace(driver.pipeline, gate=replace(driver.pipeline.gate, min_rows=20))
    driver.resume(driver.session.snapshot())
    driver.rows(stream(driver.pipeline, 380, 381))
    assert [at for _, verdict, at in driver.verdicts() if verdict != "trained"] == [381]


@pytest.fixture(scope="module")
def searching(begin: Run, stream: Stream) -> Any:
    """As `whole`, up to the refresh after the incident's second round; each search has time for a few trials."""
    seconds = count()
    driver = begin(Tuner(lambda: float(next(seconds))), search_seconds=9.0)
    driver.rows(stream(driver.pipeline, FIRST, ALERT_AT))
    driver.alert(ALERT_AT - 20)
    driver.rows(stream(driver.pipeline, ALERT_AT, ALERT_AT + 130))
    return driver


def test_a_refresh_searches_the_champions_kind_and_an_incident_searches_every_candidate(searching: Any) -> None:
    trained = [d for d in searching.decisions if d.verdict == "trained"]
    first = {c.recipe.window: c.recipe.parameters for c in trained[0].candidates}
    assert (trained[0].trigger, set(first["all"]), first[200]) == ("refresh", {"penalty"}, {})
    incident = next(d for d in trained if d.trigger == "incident")
    long_enough = [c.recipe for c in incident.candidates if c.recipe.dataset.rows >= 200]
    assert {r.window for r in long_enough} == {200, "all"}
    assert all(set(recipe.parameters) == {"penalty"} for recipe in long_enough)


def test_what_a_search_found_is_where_its_kind_begins_the_next_time(searching: Any) -> None:
    trained = [d for d in searching.decisions if d.verdict == "trained"]
    incident, refresh = trained[-2:]
    assert (incident.trigger, refresh.trigger) == ("incident", "refresh")
    found, taken = ({c.recipe.window: c.recipe.parameters for c in d.candidates} for d in (incident, refresh))
    assert [window for window in (200, "all") if found[window] == taken[window] != {}]


def test_a_trainer_that_comes_again_takes_from_the_record_what_a_search_had_time_for(
        begin: Run, searching: Any) -> None:
    def asked() -> float:
        raise AssertionError("a search began")

    driver = begin(Tuner(asked, searching.decisions), search_seconds=9.0)
    driver.rows([event for _, event in searching.log[FIRST:ALERT_AT]])
    driver.alert(ALERT_AT - 20)
    driver.rows([event for _, event in searching.log[ALERT_AT:]])
    assert driver.decisions == searching.decisions
    assert driver.session.snapshot() == searching.session.snapshot()
