"""The fast rules say what the libraries say that tools are built on; the table of it finds out one that does not."""

import numpy as np
import pytest
from river.drift import ADWIN
from scipy.stats import ks_2samp

from bench.contenders.detectors import watch
from bench.contenders.windows import Watched
from bench.decisions import agreement, rules

WINDOWS = 5


def rows(count: int, seed: int) -> np.ndarray:
    """Three features: normal, with ties, with missing values."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(count, 3))
    found[:, 1] = found[:, 1].round()
    found[rng.random(count) < 0.1, 2] = np.nan
    return found


def test_the_ks_distance_is_scipys() -> None:
    reference, live = rows(1_000, 0), rows(500, 1)
    for (window, feature), scaled in np.ndenumerate(rules.kolmogorov_smirnov(reference, live, WINDOWS)):
        before, after = (each[np.isfinite(each)] for each in (
            reference[:, feature], live[100 * window:100 * (window + 1), feature]))
        size = before.size * after.size / (before.size + after.size)
        assert scaled / np.sqrt(size) == pytest.approx(ks_2samp(before, after)[0])


def test_a_vote_counts_the_features_whose_p_value_is_small() -> None:
    rng = np.random.default_rng(2)
    reference, live = rng.normal(size=(1_000, 100)), rng.normal(size=(500, 100))
    p = np.array([ks_2samp(reference, window)[1] for window in live.reshape(5, 100, 100)])
    clear = np.abs(np.log(p / 0.05)) > 0.1  # the exact p-value and the asymptotic one are some percent apart
    assert (p < 0.05)[clear].sum() > 10
    assert np.array_equal(rules.share_drifted(reference, live, WINDOWS)[clear] > 0, (p < 0.05)[clear])


@pytest.mark.parametrize("seed", range(10))
def test_adwin_fires_in_the_same_window_as_rivers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(1_500, 4))
    found[900:] += [0, 0.2, 0.5, 1]
    evidence = rules.adaptive_windowing(found[:300], found[300:], 15)
    for delta in (0.2, 0.002):
        theirs = watch(lambda delta=delta: ADWIN(delta=delta), found[:0], found.reshape(15, 100, 4))
        assert np.array_equal(agreement.first(evidence > np.log(1 / delta)), agreement.first(theirs > 0))


def test_the_kswin_distance_is_scipys_on_the_rows_it_draws() -> None:
    live = np.random.default_rng(3).normal(size=(200, 2)).cumsum(axis=0)
    drawn = np.argsort(np.random.default_rng(0).random((10, 1, 70)), axis=2)[:, 0, :30]
    for feature in range(2):
        spans = [live[end - 100:end, feature] for end in range(110, 201, 10)]
        looks = np.array([ks_2samp(span[:70][rows], span[70:])[0] for span, rows in zip(spans, drawn, strict=True)])
        assert rules.windowed_ks(live[:100], live, 1)[0, feature] == pytest.approx(looks.max())


def test_psi_is_the_sum_over_the_tenths_of_the_reference() -> None:
    rng = np.random.default_rng(4)
    reference, live = rng.normal(size=(1_000, 1)), rng.normal(0.5, 1, size=(100, 1))
    edges = [-np.inf, *np.quantile(reference, np.arange(1, 10) / 10), np.inf]
    q, p = (np.maximum(np.histogram(each, edges)[0] / len(each), 1e-4) for each in (reference, live))
    assert rules.stability_index(reference, live, 1)[0, 0] == pytest.approx(((p - q) * np.log(p / q)).sum())


def asked(shift: float) -> tuple[Watched, dict[str, np.ndarray]]:
    """What tools that agree would answer; `shift` is added to NannyML's distance."""
    rng = np.random.default_rng(5)
    watched = Watched(reference=rng.normal(size=(1_000, 2)), before=rng.normal(size=(400, 2)), total=2, rate=0.01,
                      windows=rng.normal([0, 1], 1, size=(4, 100, 2)))
    found = [ks_2samp(watched.reference, window) for window in watched.windows]
    past = np.concatenate((watched.reference, watched.before))
    return watched, {"nannyml ks": np.array([each[0] for each in found]) + shift,
                     "evidently ks p": np.array([each[1] for each in found]),
                     "adwin": watch(ADWIN, past, watched.windows), "kswin": np.ones((4, 2))}


def test_agreement_is_told_from_a_difference() -> None:
    evidently, nannyml, adwin, kswin = agreement.table([asked(0)]).rows
    assert evidently[2:] == (8, "the same in 100.0%")
    assert float(str(nannyml[3]).split()[2]) < 1e-12
    assert adwin[2:] == (2, "the same in 100.0%")
    assert str(kswin[3]).startswith("100.0%; rules.py")
    assert agreement.table([asked(0.01)]).rows[1][3] == "apart by 0.01 at most"
