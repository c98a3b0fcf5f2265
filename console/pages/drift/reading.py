"""Closed windows and their features, as the reports in the record have them."""

from collections.abc import Sequence
from typing import LiteralString

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from console.site import Visit
from console.store import Reading
from drift.pooling import spans_of
from drift.profile import FeatureProfile, ReferenceProfile
from schemas.codec import decode
from schemas.configuration import ConfigurationLog
from schemas.messages import Artifact, DriftReport, FeatureDrift
from schemas.model_log import ModelLog
from schemas.pipeline import LOSS, PREDICTION, Pipeline
from schemas.topics import DRIFT_STATS, topic_name

FEWEST, MOST, DEFAULT = 10, 240, 60

_OF_WINDOW: LiteralString = """
select position from {schema}.messages
where topic = %(topic)s and partition = 0 and key = %(start)s and not erased order by position desc limit 1"""


class FeatureSeen(Struct, frozen=True, kw_only=True):
    """Of a feature in a report, what the map shows."""

    name: str
    effect: float
    log_p: float
    alarm: bool


class WindowSeen(Struct, frozen=True, kw_only=True):
    """Of a report, what the map shows. `threshold`: what a feature's `log_p` must fall below to be significant."""

    position: int = -1
    threshold: float = -1.0
    window_start: int
    window_end: int
    rows: int
    alarm: bool
    verdict: str
    features: list[FeatureSeen]
    config: int = -1


class DriftMap(Struct, frozen=True, kw_only=True):
    """Windows, oldest first, and features, the strongest evidence first. `evidence`: in thresholds, (features,
    windows); not a number where a window does not have the feature."""

    windows: list[WindowSeen]
    names: list[str]
    evidence: NDArray[np.float64]
    older: bool


class Judged(Struct, frozen=True, kw_only=True):
    """One feature of one report; `reference`: what it was compared with, None where that is not known."""

    report: DriftReport
    feature: FeatureDrift
    threshold: float
    reference: FeatureProfile | None = None


def read_map(visit: Visit, last: int, before: int | None) -> DriftMap:
    """The newest `last` windows, or those before a position."""
    with visit.site.store.reading(visit.name) as reading:
        records = reading.newest(DRIFT_STATS, last + 1, before)
        versions = visit.site.logs.versions(reading)
    stated, windows = visit.stated(), {}
    for record in records[:last]:
        seen = decode(record.value, WindowSeen)
        threshold = threshold_of(_definition(versions, stated, seen.config), len(seen.features))
        windows[seen.window_start] = replace(seen, position=record.position, threshold=threshold)
    ordered = [windows[start] for start in sorted(windows)]
    names, evidence = _evidence(ordered)
    return DriftMap(windows=ordered, names=names, evidence=evidence, older=len(records) > last)


def read_place(visit: Visit, start: str) -> int | None:
    """Position of the report of the window that starts then (epoch ms); None where there is none any more. No index has
    it: the newest are looked at first, and who asks comes from an alert."""
    with visit.site.store.reading(visit.name) as reading:
        rows = reading.rows(_OF_WINDOW, topic=topic_name(visit.name, DRIFT_STATS), start=start.encode())
    return rows[0]["position"] if rows else None


def read_report(visit: Visit, position: int) -> DriftReport | None:
    """The report at a position; None where there is none any more."""
    with visit.site.store.reading(visit.name) as reading:
        return _report_at(reading, position)


def read_feature(visit: Visit, position: int, name: str) -> Judged | None:
    """A feature of the report at a position, and what it was compared with.

    Raises:
        Away: where the reference cannot be read.
    """
    with visit.site.store.reading(visit.name) as reading:
        report = _report_at(reading, position)
        models, versions = visit.site.logs.models(reading), visit.site.logs.versions(reading)
    feature = next((f for f in report.features if f.name == name), None) if report else None
    if report is None or feature is None:
        return None
    definition = _definition(versions, visit.stated(), report.config)
    artifact = _artifact(models, report, name)
    profile = None if artifact is None else visit.site.artifacts.reference(visit.name, artifact)
    return Judged(report=report, feature=feature, threshold=threshold_of(definition, len(report.features)),
                  reference=_feature_profile(profile, name))


def threshold_of(pipeline: Pipeline, features: int) -> float:
    """What log p must fall below under the declared budget, shared over features and spans."""
    budget = pipeline.drift.false_alarms.windows(pipeline.windows.size)
    return -float(np.log(budget * features * len(spans_of(pipeline.drift.scales))))


def _report_at(reading: Reading, position: int) -> DriftReport | None:
    records = [record for record in reading.newest(DRIFT_STATS, 1, position + 1) if record.position == position]
    return decode(records[0].value, DriftReport) if records else None


def _definition(versions: ConfigurationLog, stated: Pipeline, config: int) -> Pipeline:
    version = versions.find(config)
    return stated if version is None else version.pipeline


def _artifact(models: ModelLog, report: DriftReport, name: str) -> Artifact | None:
    """Where the reference of a feature is: the model's own for what it says, else the profile of the window."""
    if name == PREDICTION:
        answered = (a.announcement.predictions for a in models.accepted if a.epoch == report.predictions)
        return next(answered, None)
    return next((a.announcement.profile for a in models.accepted if a.announcement.profile.digest == report.profile),
                None)


def _feature_profile(profile: ReferenceProfile | None, name: str) -> FeatureProfile | None:
    if profile is None or name == LOSS:
        return profile.loss if profile else None
    return next((feature for feature in profile.features if feature.name == name), None)


def _evidence(windows: Sequence[WindowSeen]) -> tuple[list[str], NDArray[np.float64]]:
    """Names, the strongest first, and evidence in thresholds."""
    rows = {name: row for row, name in enumerate(dict.fromkeys(f.name for w in windows for f in w.features))}
    evidence = np.full((len(rows), len(windows)), np.nan)
    for column, window in enumerate(windows):
        for feature in window.features:
            evidence[rows[feature.name], column] = feature.log_p / window.threshold
    names = list(rows)
    strongest = np.nan_to_num(evidence).max(axis=1, initial=0.0)
    order = sorted(range(len(names)), key=lambda row: (-strongest[row], names[row]))
    return [names[row] for row in order], evidence[order]
