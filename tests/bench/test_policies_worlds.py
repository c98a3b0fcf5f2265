"""The streams that the policy is tried on are what they claim, and harm that was done to them is found."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from automl_stream.backtest.result import Swap
from bench.policies import segments, stationary
from bench.policies.segments import SHARES, Drawn
from bench.policies.served import by_segment, promotions
from bench.policies.stationary import Month
from producers.labelled import labelled_rows
from schemas.messages import Recipe
from trainer.candidates import fit
from trainer.history import History
from trainer.onnx_export import export

ROWS = 20_000


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return segments.draw(np.random.default_rng(0), ROWS)


def model(rows: Drawn) -> bytes:
    definition = segments.pipeline()
    history = History(definition)
    events = labelled_rows(iter(segments.rows_of(definition, rows)), definition, "test", lambda _row, _problem: None)
    for offset, event in enumerate(events):
        history.append(offset, event)
    data = history.dataset(0, len(rows.labels) - 1)
    return export(fit(definition, Recipe(family="lightgbm", window="all", dataset=data.dataset, seed=0), data))


def test_segments_have_their_shares_and_labels_are_balanced(drawn: Drawn) -> None:
    counts = Counter(drawn.segments.tolist())
    assert all(abs(counts[name] / ROWS - share) < 0.01 for name, share in SHARES.items())
    assert abs(drawn.labels.mean() - 0.5) < 0.02
    even = segments.evenly(np.random.default_rng(0), 50)
    assert Counter(even.segments.tolist()) == dict.fromkeys(SHARES, 50)


def test_the_same_seed_gives_the_same_rows_and_a_part_follows_another() -> None:
    definition = segments.pipeline()
    one, other = (segments.rows_of(definition, *(segments.draw(np.random.default_rng(seed), 10) for seed in (1, 2)))
                  for _ in range(2))
    assert one == other
    assert [row.number for row in one] == list(range(20))
    assert all(row.fits for row in one)


def test_a_model_that_was_taught_lies_of_one_segment_is_found_to_lose_there_and_only_there() -> None:
    rng = np.random.default_rng(2)
    honest = segments.draw(rng, 6_000)
    lies = Drawn(numbers=honest.numbers, segments=honest.segments, labels=honest.labels ^ (honest.segments == "ten"))
    swaps = [Swap(row=0, version="1", reason=""), Swap(row=1, version="2", reason="")]
    clean = segments.evenly(rng, 2_000)
    models = [model(honest), model(lies)]
    (found,) = promotions(list(zip(swaps, models, strict=True)), clean)
    assert found.on == "ten"
    assert found.loses > 0.2
    assert all(abs(before - after) < 0.05 for before, after in zip(
        *(list(by_segment(onnx, clean).values())[:1] for onnx in models), strict=True))


@pytest.mark.parametrize("name", stationary.STREAMS)
def test_a_stationary_month_has_30_windows_of_240_rows_and_a_budget_of_600(name: str) -> None:
    definition = stationary.definition(name)
    rows = stationary.drawn(name, definition, 0)
    times = [row.ts for row in rows if isinstance(row.ts, int)]
    assert len(times) == len(rows)
    assert {b - a for a, b in pairwise(times)} == {360_000}
    assert (times[-1] - times[0] + 360_000) / definition.windows.size == 60
    assert definition.drift.false_alarms.windows(definition.windows.size) == 600


def test_three_seeds_that_retrain_or_one_that_loses_by_refreshing_miss_the_must() -> None:
    def months(retrained: int, accuracy: float) -> list[Month]:
        return [Month(stream="s", seed=seed, alerts=0, retrainings=int(seed < retrained), refreshes=1, promotions=1,
                      accuracy=accuracy if seed == 0 else 0.9, frozen=0.9) for seed in range(20)]

    assert [must.met for must in stationary.musts(months(2, 0.896))] == [True, True]
    assert [must.met for must in stationary.musts(months(3, 0.894))] == [False, False]
