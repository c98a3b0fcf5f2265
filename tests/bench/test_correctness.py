"""A contender that loses, repeats or alters predictions is found out."""

import msgspec
import numpy as np
import pytest

from bench.correctness import Unsound, check

SCORES = np.array([0.25, 0.5, 0.75])


def prediction(seed: int, number: int, score: float) -> bytes:
    return msgspec.json.encode({"event_id": f"{seed}-{number}", "score": score, "entity": "e"})


GOOD = [prediction(1, 0, 0.9), *(prediction(0, k, score) for k, score in enumerate(SCORES.tolist()))]


def test_one_right_prediction_for_each_event_passes() -> None:
    check(GOOD, SCORES, warm_up=1)


@pytest.mark.parametrize("found", [
    GOOD[:-1],
    [*GOOD, GOOD[-1]],
    [*GOOD[:-1], GOOD[1]],
    [*GOOD[:-1], prediction(0, 2, 0.7501)],
], ids=["lost", "repeated", "one for another", "altered"])
def test_anything_else_does_not(found: list[bytes]) -> None:
    with pytest.raises(Unsound):
        check(found, SCORES, warm_up=1)
