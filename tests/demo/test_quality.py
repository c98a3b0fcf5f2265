"""Figures of quality agree with scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss

from automl_stream.demo.quality import Answers, average_precision, judge

ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=60)


@given(ROWS)
def test_average_precision_is_scikit_learns_also_with_ties(rows: list[tuple[bool, float]]) -> None:
    positive, score = np.array([p for p, _ in rows]), np.array([s for _, s in rows])
    ours = average_precision(positive, score)
    if positive.any():
        assert ours == pytest.approx(average_precision_score(positive, score))
    else:
        assert ours is None


def test_log_loss_is_scikit_learns() -> None:
    table = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    answers = Answers(labels=["0", "1", "0"], probabilities=table)
    quality = judge("binary", ["0", "1", "1"], answers, ["0", "1"])
    assert quality.log_loss == pytest.approx(log_loss([0, 1, 1], table))
    assert quality.accuracy == pytest.approx(2 / 3)


def test_regression_is_judged_by_its_absolute_error() -> None:
    answers = Answers(labels=[2.0, 2.5], probabilities=None)
    assert judge("regression", [1.0, 2.0], answers, []).mae == pytest.approx(0.75)


def test_no_rows_give_no_figures() -> None:
    assert judge("binary", [], Answers(labels=[], probabilities=None), []).accuracy is None
