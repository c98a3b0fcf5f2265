"""What is shown beside the decision: the statistics that people know, of all features of a window at once."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift.cells import number_midpoints
from drift.dependence import at_rows
from drift.profile import ReferenceProfile
from drift.statistics.chi_square import g_test
from drift.statistics.jensen_shannon import jensen_shannon
from drift.statistics.ks import kolmogorov_smirnov
from drift.statistics.moments import moment_shift, standard_deviation
from drift.statistics.psi import corrected_population_stability_index
from drift.statistics.shares import Array, Counts, comparable
from drift.statistics.wasserstein import wasserstein


class FeatureStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One feature; None where there is nothing to compare: no rows, or (for the last four) no number with a spread.

    `psi` is the corrected one. `chi_square` is G and `chi_square_p` its p-value for independent rows. `wasserstein`,
    `mean_shift` and `spread_shift` are in reference standard deviations.
    """

    psi: float | None
    jensen_shannon: float | None
    chi_square: float | None
    chi_square_p: float | None
    ks: float | None
    wasserstein: float | None
    mean_shift: float | None
    spread_shift: float | None


class ShownStatistics:
    """The statistics of any window under one profile, compiled to arrays of shape (features, most cells)."""

    def __init__(self, profile: ReferenceProfile) -> None:
        """Lay the features' cells side by side, missing last; places that a feature has no cell for stay empty."""
        features, offsets = profile.features, profile.offsets.tolist()
        widest = max(len(feature.counts) for feature in features)
        self._places = np.full((len(features), widest), profile.size)
        self._midpoints = np.zeros((len(features), widest - 1))
        for row, (feature, offset) in enumerate(zip(features, offsets, strict=False)):
            present = len(feature.counts) - 1
            self._places[row, :present] = np.arange(offset, offset + present)
            self._places[row, -1] = offset + present
            if feature.kind == "number":
                self._midpoints[row] = 1.0
                self._midpoints[row, :present] = number_midpoints(feature.edges)
        self._reference = self._laid_out([count for feature in features for count in feature.counts])
        self._effects = np.array([feature.design_effect for feature in features])
        self._is_number = np.array([feature.kind == "number" for feature in features])
        self._has_spread = standard_deviation(self._reference[:, :-1], self._midpoints) > 0

    def of(self, counts: Counts) -> list[FeatureStatistics]:
        """Of a window's counts (size,), in the profile's order."""
        reference, window = self._reference, self._laid_out(counts)
        present = reference[:, :-1], window[:, :-1]
        psi = corrected_population_stability_index(
            reference,
            window,
            window_effect=at_rows(self._effects, window.sum(axis=1)),
            reference_effect=self._effects[:, -1],
        )
        chi_square = g_test(reference, window)
        shift = moment_shift(*present, self._midpoints)
        any_rows, ordered = comparable(reference, window), comparable(*present) & self._is_number
        spread = ordered & self._has_spread
        columns = [
            _shown(psi, any_rows),
            _shown(jensen_shannon(reference, window), any_rows),
            _shown(chi_square.statistic, any_rows),
            _shown(chi_square.p_value, any_rows),
            _shown(kolmogorov_smirnov(*present), ordered),
            _shown(wasserstein(*present, self._midpoints), spread),
            _shown(shift.mean, spread),
            _shown(shift.spread, spread),
        ]
        names = FeatureStatistics.__struct_fields__
        return [FeatureStatistics(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]

    def _laid_out(self, counts: Counts | Sequence[int]) -> Counts:
        return np.append(counts, 0)[self._places]


def _shown(values: Array, where: NDArray[np.bool_]) -> list[float | None]:
    return [value if shown else None for value, shown in zip(values.tolist(), where.tolist(), strict=True)]
