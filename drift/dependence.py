"""Dependence between rows: how much more the mean of L rows varies than that of L independent ones.

An autoregression extrapolates; overlapping batch means overrule it where they are significantly larger. Sources:
Yule-Walker and AIC (Brockwell & Davis 1991, ch. 8); overlapping batch means (Meketon & Schmeiser 1984).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

Series = NDArray[np.float64]

LENGTHS = 2.0 ** np.arange(21)  # rows; the design effect is tabulated at these and at the reference's own m
_MAX_ORDER = 20
_MIN_BATCH = 8
_GATE = 0.001  # batch means must exceed the autoregression beyond this chi-square tail
_MAX_LOG_ERROR = 50.0  # of the long-run variance, so that a unit root stays finite (and uncalibrated)


class DesignEffect(NamedTuple):
    """Variance of a mean of L rows relative to independent rows, and its degrees of freedom.

    Both have shape (22,): L = 2^0 .. 2^20, then the reference's m rows.
    """

    effect: Series
    degrees: Series


class _Autoregression(NamedTuple):
    coefficients: Series  # (order,)
    innovation: float  # variance, of a series with unit variance
    precision: float  # 1' G^-1 1, G being the order x order autocorrelation matrix


def design_effect(series: Series) -> DesignEffect:
    """The largest design effect over the score series of one feature: shape (contrasts, m), rows in time order."""
    rows = series.shape[1]
    varying = series - series.mean(axis=1, keepdims=True)
    variance = (varying**2).mean(axis=1)
    varying = varying[variance > 1e-12] / np.sqrt(variance[variance > 1e-12, None])  # noqa: PLR2004 - rounding
    if not len(varying):
        return DesignEffect(np.ones(LENGTHS.size + 1), np.full(LENGTHS.size + 1, float(rows)))
    lengths = np.concatenate((LENGTHS, [float(rows)]))
    models = [_modelled(each, lengths) for each in _autocorrelations(varying)]
    effect = np.stack([model[0] for model in models], axis=1)
    degrees = np.stack([np.full(lengths.size, model[1]) for model in models], axis=1)
    _overrule(varying, effect, degrees)
    largest = effect.argmax(axis=1)[:, None]
    return DesignEffect(
        np.maximum(1.0, np.take_along_axis(effect, largest, axis=1)[:, 0]),
        np.take_along_axis(degrees, largest, axis=1)[:, 0],
    )


def at_rows(table: Series, rows: Series) -> Series:
    """`DesignEffect` entries of each feature, (features, 22), at so many rows, (..., features): linear in log2."""
    position = np.clip(np.log2(np.maximum(rows, 1)), 0, LENGTHS.size - 1)
    left = np.minimum(position.astype(np.int64), LENGTHS.size - 2)
    feature = np.arange(len(table))
    return table[feature, left] + (position - left) * (table[feature, left + 1] - table[feature, left])


def _autocorrelations(varying: Series) -> Series:
    """Biased autocorrelations at lags 0 .. order limit, shape (contrasts, lags); the series have unit variance."""
    rows = varying.shape[1]
    limit = min(_MAX_ORDER, max(1, rows // 20))
    lags = [np.einsum("ij,ij->i", varying[:, : rows - lag], varying[:, lag:]) for lag in range(limit + 1)]
    return np.stack(lags, axis=1) / rows


def _fit(correlations: Series, rows: int) -> _Autoregression:
    """Levinson-Durbin over all orders; twice the order with the least AIC.

    AIC's own order predicts best and sums too few correlations where they decay slowly: under stochastic volatility it
    put the long-run variance a quarter too low and understated its error, and one false alarm in 10,000 windows became
    three. Sums of correlations want an undersmoothed fit (Berk, Annals of Statistics 2, 1974).
    """
    fits, best, least = [_Autoregression(np.zeros(0), 1.0, 0.0)], 0, 0.0
    coefficients, innovation, precision = fits[0]
    for order in range(1, correlations.size):
        reflection = (correlations[order] - coefficients @ correlations[order - 1 : 0 : -1]) / innovation
        if abs(reflection) >= 1.0:  # rounding, of a series that already is predicted perfectly
            break
        precision += float(1.0 - coefficients.sum()) ** 2 / innovation  # the recursion factors G^-1
        coefficients = np.append(coefficients - reflection * coefficients[::-1], reflection)
        innovation *= 1.0 - reflection**2
        fits.append(_Autoregression(coefficients, innovation, precision))
        criterion = rows * np.log(innovation) + 2 * order
        if criterion < least:
            best, least = order, criterion
    return fits[min(2 * best, len(fits) - 1)]


def _modelled(correlations: Series, lengths: Series) -> tuple[Series, float]:
    """Long-run variance V(L) = L Var(mean of L rows) of a series of unit variance, and its degrees of freedom.

    V carries the factor exp(tau^2), tau^2 being the delta-method variance of ln V; the degrees are 2 / tau^2.
    """
    rows = int(lengths[-1])
    coefficients, innovation, precision = _fit(correlations, rows)
    if coefficients.size == 0:
        return np.ones(lengths.size), float(rows)
    gain = max(1e-9, float(1.0 - coefficients.sum()) ** 2)
    log_error = min(_MAX_LOG_ERROR, 2 / rows + 4 * innovation * precision / (rows * gain))
    variance = _sum_of_correlations(coefficients, correlations, lengths)
    return np.maximum(1e-3, variance) * np.exp(log_error), 2 / log_error


def _sum_of_correlations(coefficients: Series, correlations: Series, lengths: Series) -> Series:
    """1 + 2 sum_{k < L} (1 - k/L) rho_k, with rho continued by the autoregression up to the reference's last lag."""
    from scipy.signal import lfilter, lfiltic  # noqa: PLC0415  (58 MB; only who makes references needs it)

    rows, order = int(lengths[-1]), coefficients.size
    recursion = np.concatenate(([1.0], -coefficients))
    state = lfiltic([1.0], recursion, correlations[order - 1 :: -1] if order > 1 else correlations[:1])
    later, _ = lfilter([1.0], recursion, np.zeros(max(0, rows - order)), zi=state)
    rho = np.clip(np.concatenate((correlations[1:order], later)), -1.0, 1.0)  # lags 1 .. rows - 1
    lag = np.arange(1, rho.size + 1)
    plain = np.concatenate(([0.0], np.cumsum(rho)))
    by_lag = np.concatenate(([0.0], np.cumsum(lag * rho)))
    last = np.minimum(lengths - 1, rho.size).astype(np.int64)
    return 1 + 2 * (plain[last] - by_lag[last] / lengths)


def _overrule(varying: Series, effect: Series, degrees: Series) -> None:
    """Replace the modelled V(L), in place, by batch means that are significantly larger; the largest holds beyond."""
    rows = varying.shape[1]
    sums = np.concatenate((np.zeros((len(varying), 1)), np.cumsum(varying, axis=1)), axis=1)
    carried = np.zeros(len(varying))
    for index, length in enumerate(LENGTHS.astype(np.int64)):
        if _MIN_BATCH <= length <= rows // 4:
            batches = sums[:, length:] - sums[:, :-length]
            observed = np.einsum("ij,ij->i", batches, batches) / batches.shape[1] / (length * (1 - length / rows))
            freedom = 1.5 * (rows / length - 1)
            limit = chdtri(freedom, _GATE) / freedom * (1 + 3 / np.sqrt(degrees[index]))
            larger = observed > effect[index] * limit
            effect[index] = np.where(larger, observed, effect[index])
            degrees[index] = np.where(larger, max(freedom, 4.0), degrees[index])
            carried = np.where(larger, np.maximum(carried, observed), carried)
        effect[index] = np.maximum(effect[index], carried)
    effect[-1] = np.maximum(effect[-1], carried)
