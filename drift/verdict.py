"""The verdict on a closed window, in numbers and in a sentence."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from drift.cells import OTHER
from schemas.pipeline import LOSS, PREDICTION

Contrast = Literal["location", "scale", "missing", "cell", "outside"]
DriftKind = Literal["covariate", "prediction", "missing", "schema", "concept"]

_KINDS: dict[Contrast | None, DriftKind] = {"missing": "missing", "outside": "schema"}
_OF_THE_MODEL: dict[str, DriftKind] = {LOSS: "concept", PREDICTION: "prediction"}


class FeatureVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One feature: its strongest contrast, among those that alarm if any does.

    `outside` is the `cell` of numbers beyond the reference's range, or of unknown categories.
    `rows` and `missing` (share) are of the closed window. `log_p` is ln(p / weight), comparable with the verdict's
    `threshold`. `effect` is signed: reference standard deviations for location and scale, Cohen's h otherwise;
    `lower_bound` is the 95 % bound of its size. `scale` counts the windows pooled. `only_higher`: nothing but a rise of
    its level alarms. Untested (too few rows): no `contrast`, and the figures are 0.
    """

    name: str
    rows: int
    missing: float
    uncalibrated: str | None
    only_higher: bool = False
    contrast: Contrast | None = None
    cell: str | None = None
    scale: int = 0
    effect: float = 0.0
    lower_bound: float = 0.0
    log_p: float = 0.0
    significant: bool = False
    alarm: bool = False

    @property
    def kind(self) -> DriftKind:
        """What has changed: how wrong the model is, or what it says; how often values are missing or outside what is
        known; else how they are distributed."""
        return _OF_THE_MODEL.get(self.name) or _KINDS.get(self.contrast, "covariate")


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The joint decision. `features` are ranked: alarms first, then by evidence, then by name.

    `no_data`: the closed window itself had fewer than the minimum of rows. `onset`: how many windows before the closed
    one, as the history counts them, the change is estimated to have begun (0: in it), where there is an alarm.
    """

    alarm: bool
    significant: bool
    no_data: bool
    rows: int
    threshold: float
    onset: int | None
    features: tuple[FeatureVerdict, ...]
    words: str


def words(ranked: Sequence[FeatureVerdict], *, rows: int, no_data: bool) -> str:
    """One sentence for people."""
    if ranked[0].alarm:
        others = sum(feature.alarm for feature in ranked) - 1
        more = f", and {others} more feature{'s' if others > 1 else ''}" if others else ""
        return f"Drift: {_change(ranked[0])}{more}."
    if no_data:
        return f"No data: the window has {rows} row{'' if rows == 1 else 's'}, too few to judge."
    for feature in ranked:
        if feature.significant:
            return f"No alarm: {_change(feature)}, but {_reason(feature)}."
    return f"No drift in {rows} rows."


def _reason(feature: FeatureVerdict) -> str:
    """Why what is significant does not alarm."""
    if feature.uncalibrated:
        return "it is uncalibrated"
    if feature.only_higher and not (feature.contrast == "location" and feature.effect > 0):
        return "only a rise of its level alarms"
    return "it is too small to matter"


def _change(feature: FeatureVerdict) -> str:
    up = feature.effect > 0
    change = {
        "location": f"{feature.name} moved {'up' if up else 'down'}",
        "scale": f"{feature.name} spread {'wider' if up else 'less'}",
        "missing": f"{feature.name} is missing {'more' if up else 'less'} often",
        "cell": f"{feature.name} is {'more' if up else 'less'} often {feature.cell}",
        "outside": f"{feature.name} is {'more' if up else 'less'} often {_outside(feature.cell)}",
        None: f"{feature.name} was not tested",
    }[feature.contrast]
    unit = "reference standard deviations" if feature.contrast in {"location", "scale"} else "in Cohen's h"
    span = "the last window" if feature.scale == 1 else f"the last {feature.scale} windows"
    return f"{change} by {abs(feature.effect):.2f} {unit} (at least {feature.lower_bound:.2f}) over {span}"


def _outside(cell: str | None) -> str:
    return "an unknown category" if cell == OTHER else f"out of range, {cell}"
