"""A pipeline's features as its definition has them, with what drift reports and announcements say of each."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from kafka_access.definition import in_force
from schemas.codec import decode
from schemas.messages import DriftReport, FeatureDrift, FeatureValue
from schemas.model_log import ModelLog
from schemas.pipeline import Feature, FeatureType, load_pipeline
from schemas.topics import DRIFT_STATS, MODEL_UPDATES, topic_name


class DriftState(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest report says of a feature. Times are event time, epoch ms; `calibrated`: whether it can alarm;
    `last_alarm`: start of the newest window in which it did."""

    window_start: int
    rows: int
    missing: float
    effect: float
    alarm: bool
    calibrated: bool
    last_alarm: int | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One feature. `first_seen` start of the first and `last_seen` end of the last window with a value of it, event
    time in epoch ms; `models`: announced versions, which all use it, the oldest first."""

    name: str
    type: FeatureType
    optional: bool
    default: FeatureValue
    min: float | None
    max: float | None
    owner: str
    description: str
    first_seen: int | None
    last_seen: int | None
    drift: DriftState | None
    models: list[str]


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All features, in the definition's order. `version`: of the definition, -1: the file."""

    pipeline: str
    version: int
    features: list[Entry]


class _Seen:
    """What the reports have said of one feature so far."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.last: int | None = None
        self.last_alarm: int | None = None
        self.state: DriftState | None = None

    def add(self, report: DriftReport, found: FeatureDrift) -> None:
        """Take the next report in."""
        if found.rows and found.missing < 1:
            self.first = report.window_start if self.first is None else min(self.first, report.window_start)
            self.last = max(self.last or report.window_end, report.window_end)
        if found.alarm:
            self.last_alarm = report.window_start
        self.state = DriftState(window_start=report.window_start, rows=found.rows, missing=found.missing,
                                effect=found.effect, alarm=found.alarm, calibrated=found.calibrated,
                                last_alarm=self.last_alarm)


def read_catalogue(file: Path, kafka: KafkaAccess, log: TopicLog) -> Catalogue:
    """The catalogue of the pipeline that `file` names, by its newest version.

    Raises:
        PipelineError: when the file cannot be used.
        UnreadableDefinition, TopicLogError: when Kafka does not answer, or the pipeline has no topics.
    """
    pipeline, version = in_force(load_pipeline(file), kafka)
    reports, updates = (topic_name(pipeline.name, topic) for topic in (DRIFT_STATS, MODEL_UPDATES))
    models = ModelLog()
    for record in log.stream(updates, log.bounds(updates)):
        models.read(record.offset, record.value)
    said = (decode(record.value or b"", DriftReport) for record in log.stream(reports, log.bounds(reports)))
    versions = list(dict.fromkeys(a.announcement.version for a in reversed(models.announced())))
    return Catalogue(pipeline=pipeline.name, version=version, features=list(entries(pipeline.features, said, versions)))


def entries(features: Iterable[Feature], reports: Iterable[DriftReport], models: list[str]) -> Iterator[Entry]:
    """One entry a feature; `reports` in the order of the log."""
    seen: dict[str, _Seen] = {}
    for report in reports:
        for found in report.features:
            seen.setdefault(found.name, _Seen()).add(report, found)
    for feature in features:
        known = seen.get(feature.name, _Seen())
        yield Entry(name=feature.name, type=feature.type, optional=feature.optional, default=feature.default,
                    min=feature.min, max=feature.max, owner=feature.owner, description=feature.description,
                    first_seen=known.first, last_seen=known.last, drift=known.state, models=models)
