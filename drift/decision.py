"""The decision at each closed window: at most one false alarm in N windows, jointly over features and scales."""

from itertools import pairwise
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from drift.errors import CountsError
from drift.evidence import ContrastTests
from drift.onset import estimate_onset
from drift.pooling import Pooling, spans_of
from drift.profile import FeatureProfile, ReferenceProfile
from drift.statistics.missing import missing_share
from drift.verdict import Contrast, FeatureVerdict, Verdict, words
from schemas.pipeline import history_windows

WindowHistory = NDArray[np.int64]  # (windows, profile.size), newest last, all of one profile

_ROUNDING = 1e-9  # relative: evidence that differs by less is the same
_REFERENCE_MULTIPLE = 8  # pooling more rows than this many references only repeats the reference's own error


class DecisionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`budget_windows`: one false alarm in so many windows. `min_effect`: see `FeatureVerdict.lower_bound`.

    `scales`: windows are pooled by 1, 2, 3, 4, 6, 8, ... 2^(scales - 1). `min_rows`: fewer are not judged.
    """

    budget_windows: Annotated[float, Meta(ge=1)]
    min_effect: Annotated[float, Meta(ge=0)] = 0.05
    scales: Annotated[int, Meta(ge=1, le=20)] = 7
    min_rows: Annotated[int, Meta(ge=1)] = 30

    @property
    def spans(self) -> tuple[int, ...]:
        """How many windows are pooled, ascending."""
        return spans_of(self.scales)

    @property
    def history_windows(self) -> int:
        """Count vectors to keep, the closed window's included: those of the longest span, and as many before them."""
        return history_windows(self.scales)


def decide(profile: ReferenceProfile, history: WindowHistory, settings: DecisionSettings) -> Verdict:
    """One decision; where there are many, keep a `Decider`."""
    return Decider(profile, settings).decide(history)


class Decider:
    """Decides window after window on one profile and one budget. It keeps no state: the history is passed in."""

    def __init__(self, profile: ReferenceProfile, settings: DecisionSettings) -> None:
        """Compile what depends on the profile and settings only."""
        self._settings = settings
        self._features = profile.features
        self._names = [_contrasts(feature) for feature in profile.features]
        self._offsets = profile.offsets.tolist()
        self._missing = profile.offsets[1:] - 1  # the last cell of each feature
        self._tests = ContrastTests(profile)
        self._pooling = Pooling(profile, settings.history_windows)
        self._columns = self._tests.columns.tolist()
        self._most = _REFERENCE_MULTIPLE * np.array([feature.rows for feature in profile.features])
        self.threshold = -float(np.log(settings.budget_windows * len(profile.features) * len(settings.spans)))

    def decide(self, history: WindowHistory) -> Verdict:
        """The verdict on the newest window of `history`; windows older than `history_windows` are ignored.

        Raises CountsError where the history is empty or not of this profile's size.
        """
        size = self._offsets[-1]
        if history.ndim != 2 or len(history) == 0 or history.shape[1] != size:  # noqa: PLR2004
            msg = f"a history needs shape (1 or more, {size}); it has {history.shape}: never mix profiles"
            raise CountsError(msg)
        newest = history[-1]
        rows = self._tests.rows(newest)
        evidence = self._evidence(history, rows)
        ranked = self._ranked(evidence, newest, rows)
        most = int(rows.max())
        alarm, no_data = ranked[0].alarm, most < self._settings.min_rows
        return Verdict(
            alarm=alarm,
            significant=any(feature.significant for feature in ranked),
            no_data=no_data,
            rows=most,
            threshold=self.threshold,
            onset=self._onset(ranked[0].name, evidence, history) if alarm else None,
            features=ranked,
            words=words(ranked, rows=most, no_data=no_data),
        )

    def _evidence(self, history: WindowHistory, newest_rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log p, effect and lower bound, shape (3, spans, columns); log p is infinite where nothing is tested."""
        sums = self._pooling.sums(history[-self._settings.history_windows :])
        end = np.array([len(sums.rows) - 1])
        spans = [span for span in self._settings.spans if span <= end[0]]
        counts, before = (np.concatenate(part) for part in zip(
            *(self._pooling.at(sums, end, span) for span in spans), strict=True))
        rows = self._tests.rows(counts)
        tested = (rows >= self._settings.min_rows) & (newest_rows > 0)  # an empty window brings no evidence of its own
        tested[1:] &= rows[1:] <= self._most
        evidence = self._tests.evaluate(counts, before)
        evidence[0, ~np.repeat(tested, np.diff(self._tests.columns), axis=1)] = np.inf
        return evidence

    def _ranked(
        self, evidence: NDArray[np.float64], newest: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> tuple[FeatureVerdict, ...]:
        missing = missing_share(newest[self._missing], rows)
        verdicts = [
            self._feature(index, evidence[:, :, start:end], count, share)
            for index, ((start, end), count, share) in enumerate(
                zip(pairwise(self._columns), rows.tolist(), missing.tolist(), strict=True)
            )
        ]
        return tuple(sorted(verdicts, key=lambda feature: (not feature.alarm, feature.log_p, feature.name)))

    def _onset(self, name: str, evidence: NDArray[np.float64], history: WindowHistory) -> int:
        """By the winning contrast of the feature, over as many windows as the longest span has."""
        index = next(index for index, feature in enumerate(self._features) if feature.name == name)
        _, _, column = self._strongest(index, evidence[:, :, slice(*self._columns[index : index + 2])])
        recent = history[-self._settings.spans[-1] :, slice(*self._offsets[index : index + 2])]
        return estimate_onset(self._features[index], column, recent)

    def _feature(self, index: int, evidence: NDArray[np.float64], rows: int, missing: float) -> FeatureVerdict:
        feature = self._features[index]
        alarm, scale, column = self._strongest(index, evidence)
        found, effect, bound = evidence[:, scale, column].tolist()
        window = FeatureVerdict(
            name=feature.name,
            rows=rows,
            missing=missing,
            uncalibrated=feature.uncalibrated,
            only_higher=feature.only_higher,
        )
        if found == np.inf:
            return window
        contrast, cell = self._names[index][column]
        return msgspec.structs.replace(
            window,
            contrast=contrast,
            cell=cell,
            scale=self._settings.spans[scale],
            effect=effect,
            lower_bound=bound,
            log_p=min(0.0, found),
            significant=found < self.threshold,
            alarm=alarm,
        )

    def _strongest(self, index: int, evidence: NDArray[np.float64]) -> tuple[bool, int, int]:
        """Whether the feature alarms; scale and column of its strongest contrast, of those that alarm if any does.

        Of alarms with the same p-value, as a constant's value and what replaces it, the one that gained.
        """
        log_p, effect, lower = evidence
        feature = self._features[index]
        large = (lower >= self._settings.min_effect) & feature.calibrated
        if feature.only_higher:
            large[:, 0] &= effect[:, 0] > 0
            large[:, 1:] = False
        alarms = (log_p < self.threshold) & large
        if not alarms.any():
            scale, column = divmod(int(log_p.argmin()), log_p.shape[1])
            return False, scale, column
        best = np.where(alarms, log_p, np.inf).argmin()
        unweighted = np.full(log_p.shape, np.inf)
        np.add(log_p, self._tests.log_weight[slice(*self._columns[index : index + 2])], out=unweighted, where=alarms)
        least = unweighted.flat[best]
        same = np.abs(unweighted - least) <= _ROUNDING * abs(least)
        scale, column = divmod(int(np.where(same, -effect, np.inf).argmin()), log_p.shape[1])
        return True, scale, column


def _contrasts(feature: FeatureProfile) -> list[tuple[Contrast, str | None]]:
    """What each column is called: the contrast, and which cell."""
    *cells, _ = feature.labels
    outside = {0, len(cells) - 1} if feature.kind == "number" else {len(cells) - 1}
    named: list[tuple[Contrast, str | None]] = [
        ("outside" if cell in outside else "cell", label) for cell, label in enumerate(cells)
    ]
    return [("location", None), ("scale", None), *named, ("missing", None)]
