"""A row is answered before its label is heard, and a label is as late as it is said to be."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.policies import segments
from bench.policies.peers import Adwin, Forest, NoChange, Refitted, Schedule
from bench.policies.prequential import AHEAD, Stream, load, prequential, quality
from schemas.messages import LabelValue

ROWS, FIRST = 900, 300


def stream(rows: int = ROWS, first: int = FIRST) -> Stream:
    definition = segments.pipeline()
    half = rows // 2
    rng = np.random.default_rng(0)
    parts = segments.draw(rng, half), segments.draw(rng, rows - half, "turned")
    return Stream(definition, segments.rows_of(definition, *parts), first)


@pytest.fixture(scope="module")
def turning() -> Stream:
    """The rule turns at row 450."""
    return stream()


class Recorder:
    """Remembers in which order rows were answered and labels heard; changes at every `changes`th label."""

    def __init__(self, changes: int) -> None:
        self.heard: list[int] = []
        self._changes = changes
        self._model = 0

    def answer(self, first: int, last: int) -> Sequence[LabelValue]:
        assert last - first <= AHEAD
        return [f"{row} by {self._model}" for row in range(first, last)]

    def hear(self, row: int, answered: LabelValue) -> bool:
        assert str(answered).startswith(f"{row} by ")
        self.heard.append(row)
        changed = len(self.heard) % self._changes == 0
        self._model += changed
        return changed


@settings(max_examples=60, deadline=None)
@given(delay=st.integers(0, 700), changes=st.integers(1, 400))
def test_every_row_is_answered_once_and_its_label_heard_that_many_rows_later(delay: int, changes: int) -> None:
    whole = Stream(segments.pipeline(), [None] * ROWS, FIRST)  # type: ignore[list-item]  # only their number counts
    peer = Recorder(changes)
    answers = [str(answer).split(" by ") for answer in prequential(peer, whole, delay)]
    assert [int(row) for row, _ in answers] == list(range(FIRST, ROWS))
    assert peer.heard == list(range(FIRST, max(FIRST, ROWS - delay)))
    for row, model in answers:  # the model that answers has heard what came before the row, and nothing of it
        labels_before = max(0, int(row) - delay - FIRST)
        assert int(model) == labels_before // changes


def test_labels_that_are_known_to_nobody_cannot_be_answered() -> None:
    definition = segments.pipeline()
    rng = np.random.default_rng(1)
    drawn = segments.draw(rng, 1_500)
    coins = segments.Drawn(numbers=drawn.numbers, segments=drawn.segments, labels=rng.random(1_500) < 0.5)
    noise = Stream(definition, segments.rows_of(definition, coins), 500)
    for peer in (Refitted(noise, Schedule(100), None), Forest(noise)):
        assert abs(quality(noise, prequential(peer, noise)) - 0.5) < 4 * 0.5 / np.sqrt(1_000)


def test_a_schedule_retrains_at_each_period_and_heals_what_turned(turning: Stream) -> None:
    scheduled = Refitted(turning, Schedule(100), 200)
    never = Refitted(turning, Schedule(10_000), 200)
    reached, frozen = (quality(turning, prequential(peer, turning)) for peer in (scheduled, never))
    assert (scheduled.retrainings, never.retrainings) == ((ROWS - FIRST) // 100, 0)
    assert reached > frozen + 0.05
    assert scheduled.seconds > 0


def test_adwin_hears_the_deployed_models_errors_alone_and_begins_anew_after_it_fired(turning: Stream) -> None:
    heard: list[float | None] = []

    class Spy(Adwin):
        def fires(self, error: float | None) -> bool:
            heard.append(error)
            return len(heard) == 50

    prequential(Refitted(turning, Spy(), 200), turning, delay=30)
    assert None not in heard[:50]
    assert heard[50:81] == [None] * 30 + [heard[80]]  # rows that the model before had answered
    assert heard[80] is not None

    adwin = Adwin()
    errors = [0.0] * 500 + [1.0] * 200
    fired = [place for place, error in enumerate(errors) if adwin.fires(error)]
    assert fired
    assert 500 < fired[0] < 600


def test_the_last_known_label_is_repeated() -> None:
    short = stream(20, 10)
    labels = [event.label for event in short.events]
    assert prequential(NoChange(short), short) == labels[9:19]
    assert prequential(NoChange(short), short, delay=3) == [labels[9]] * 4 + labels[10:16]


def test_errors_of_values_are_measured_by_what_was_normal_and_capped() -> None:
    bikes = load("bike_sharing", 1_000)
    peer = Refitted(bikes, Schedule(10_000), None)
    value = float(bikes.events[500].label)
    assert peer._error(value, bikes.events[500]) == 0
    assert peer._error(value + 1e9, bikes.events[500]) == 1
    assert quality(bikes, [event.label for event in bikes.events[bikes.first:]]) == 0


def test_rows_that_cannot_be_judged_are_refused_and_not_left_out() -> None:
    definition = segments.pipeline()
    rows = segments.rows_of(definition, segments.draw(np.random.default_rng(0), 3))
    broken = Stream(definition, [*rows[:2], replace(rows[2], label=None)], 1)
    with pytest.raises(ValueError, match="row 2 has no usable label"):
        _ = broken.events
