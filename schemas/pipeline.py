"""The pipeline definition: one TOML file, validated with errors that name file, key, finding and what is allowed."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from schemas.detectors import DetectorName, detector_checks

FeatureType = Literal["number", "category", "boolean"]
Task = Literal["binary", "multiclass", "regression"]
Family = Literal["lightgbm", "logistic", "forest", "mlp", "voting", "stacking"]
StoppedEarly = Literal["lightgbm", "mlp"]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0)]

LOSS = "model.loss"  # what the losses of labelled rows are called where they are watched like a feature
PREDICTION = "model.prediction"  # what the answers of one model are called there
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
RANGE = ("min", "max")  # keys of a feature
_LONGEST_DAYS = 36_500
MOST_CELLS = {"number": 23, "category": 102, "boolean": 4}  # at most: see drift/cells.py
_MAX_OPEN_CELLS = 1_000_000  # what one checkpoint, a record of at most 4 MiB, can hold


class PipelineError(ValueError):
    """The pipeline file cannot be used; the message says where and what is allowed. Not retriable."""


class Duration(int):
    """A span of time in milliseconds, written as a number and a unit: 500ms, 200s, 10m, 1h, 7d."""

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read `7d` and the like.

        Raises:
            ValueError: when it is not a whole number followed by ms, s, m, h or d, or is over 36500d.
        """
        match = re.fullmatch(r"0*([0-9]{1,15})(ms|s|m|h|d)", text)
        if match is None:
            raise ValueError("expected a number and a unit (ms, s, m, h, d), such as 200s")
        span = int(match[1]) * UNITS_MS[match[2]]
        if span > _LONGEST_DAYS * UNITS_MS["d"]:
            raise ValueError(f"expected at most {_LONGEST_DAYS}d")
        return cls(span)


class FalseAlarmBudget(str):
    """At most one false alarm in so many closed windows or so much event time: `1 in 1000 windows`, `1 in 30d`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "FalseAlarmBudget":
        """Check the sentence.

        Raises:
            ValueError: when it is neither of the two forms.
        """
        match = re.fullmatch(r"1 in ([1-9][0-9]{0,14})( windows|ms|s|m|h|d)", text)
        if match is None:
            raise ValueError("expected '1 in N windows' or '1 in DURATION', such as 1 in 30d")
        if match[2] != " windows":
            Duration.parse(match[1] + match[2])
        return cls(text)

    def windows(self, size: Duration) -> float:
        """Number of closed windows of `size` milliseconds in which one false alarm is allowed."""
        span = self.removeprefix("1 in ")
        if span.endswith(" windows"):
            return float(span.removesuffix(" windows"))
        return Duration.parse(span) / size


class ImplicitLabel(str):
    """What an event is that has had no label for so long, in event time: `30d -> 0`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "ImplicitLabel":
        """Check the sentence.

        Raises:
            ValueError: when it is not a duration, an arrow and a label.
        """
        match = re.fullmatch(r"(\S+) (?:->|→) (\S.*)", text)
        if match is None:
            raise ValueError("expected 'DURATION -> LABEL', such as 30d -> 0")
        Duration.parse(match[1])
        return cls(text)

    @property
    def after(self) -> Duration:
        """How long nothing was said, in milliseconds of event time."""
        return Duration.parse(self.split(" ", 1)[0])

    @property
    def label(self) -> str:
        """The class that silence means."""
        return self.split(" ", 2)[2]


def history_windows(scales: int) -> int:
    """How many closed windows a decision looks back on, its own included: the longest span, and as many before it."""
    return 2**scales


class Identity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the pipeline is called, what it predicts, and how long its labels take."""

    name: str
    """The prefix of every topic, and the name of its PostgreSQL schema."""
    task: Task
    """What a prediction is: one of two classes, one of several, or a number."""
    partitions: Count = 4
    """Of `events`, `predictions`, `score-state` and `labels` when they are created."""
    label_horizon: Duration = Duration(7 * 86_400_000)
    """How long a label waits for its event's prediction, in event time."""
    unlabelled_after: ImplicitLabel | None = None
    """Silence is an answer; only events that are so old train or gate."""


class Feature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of the model."""

    name: str
    """As the events have it."""
    type: FeatureType
    """How its values are read, counted and given to models."""
    optional: bool = False
    """It may be null, or absent."""
    default: float | str | bool | None = None
    """Stands in where an optional feature is null or absent."""
    min: float | None = None
    """What a number is not below, says its owner. For the catalogue: what lies beyond is scored all the same."""
    max: float | None = None
    """What a number is not above, likewise."""
    owner: str = ""
    """Who answers for it."""
    description: str = ""
    """What it is, for people."""


class Replay(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of a plain file become events."""

    label: str
    """Column of the label."""
    time: str | None = None
    """Column of the event's time; without one, the row's number times `spacing` after `start`."""
    entity: str | None = None
    """Column of the entity; without one, events have none."""
    drop: tuple[str, ...] = ()
    """Columns that are neither label, time, entity nor feature."""
    start: str = "2000-01-01T00:00:00Z"
    """Time of the first row, where no column holds times."""
    spacing: Duration = Duration(1_000)
    """From row to row, where no column holds times."""


class Windows(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tumbling windows of event time; live quality has windows of so many labels instead."""

    size: Duration = Duration(200_000)
    """Of a window."""
    lateness: Duration = Duration(10_000)
    """How far an event may lag behind the newest of its partition and still enter its window."""
    max_future: Duration = Duration(3_600_000)
    """How far an event may be ahead of its record's Kafka timestamp; beyond, it is a dead letter."""
    idle_after: Duration = Duration(30_000)
    """How long a partition must have nothing to score before windows close without it."""
    min_rows: Count = 30
    """Of a window; with fewer it is not judged."""
    quality_labels: Count = 500
    """Labelled events of a report of live quality."""


class Drift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The declared false-alarm budget and what counts as material."""

    false_alarms: FalseAlarmBudget = FalseAlarmBudget("1 in 1000 windows")
    """The budget, over all features, scales and kinds of drift together."""
    min_effect: Share = 0.05
    """A smaller change is immaterial, however certain; in reference standard deviations, or Cohen's h for shares."""
    scales: Annotated[int, Meta(ge=1, le=10)] = 7
    """How far windows are pooled: spans of up to 2^(scales-1) windows are judged as one."""
    longest_cycle: Duration | None = None
    """Of what the features do by themselves, such as `7d`; the reference must cover three of them."""
    detectors: tuple[DetectorName, ...] = ()
    """Watch the loss of labelled rows and are shown."""
    alerting_detectors: tuple[DetectorName, ...] = ()
    """Those of `detectors` that may alert, outside the budget."""

    @property
    def history_windows(self) -> int:
        """How many closed windows are looked back on."""
        return history_windows(self.scales)


class Retraining(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When to train, and on what."""

    refresh_labels: Annotated[int, Meta(ge=0)] = 250
    """New labels after which a round of training needs no alert; 0: only alerts train."""
    refresh_interval: Duration = Duration(0)
    """The least event time between two such rounds."""
    min_new_labels: Count = 100
    """Labels since the onset of a change before an incident's first round; the next at 2, 4 and 8 times as many."""
    cooldown: Duration = Duration(600_000)
    """Event time from one incident's opening to the next, and within which three failures open the breaker."""
    families: tuple[Family, ...] = ("lightgbm", "logistic")
    """Which models are fitted."""
    windows: tuple[Count | Literal["all"], ...] = (250, 1_000, 4_000, "all")
    """Newest labelled rows that each family is fitted on."""
    half_life: Count = 200
    """Labels after which a loss counts for half."""
    max_rows: Count = 200_000
    """Of a dataset."""
    seed: int = 0
    """Of every fit and search."""
    pool: Count = 12
    """Experts that stay under test, the champion among them; the newest of each family and window stays in any case,
    for its successor inherits its record."""
    early_stop: tuple[StoppedEarly, ...] = ("mlp",)
    """Families whose number of rounds is found on the last fifth of the rows."""
    search_seconds: Share = 0.0
    """That a round may spend on other parameters."""
    fit_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """Of wall time for the fits of a round; where they take k times as long, the next refresh waits k times as long."""
    label_quota: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Share of a dataset's rows that one labeller may have at most."""


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate must show before it serves, and how long its promotion may be undone by itself."""

    min_rows: Count = 100
    """Labelled rows that a candidate was not fitted on, before it is judged."""
    parity: Share = 1e-5
    """How far the ONNX file's answers may be from the fitted model's."""
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    """Chance that a round of training leads to a wrong promotion on evidence."""
    max_slice_loss: Share = 0.02
    """What a candidate may lose in any part of a slice against the champion."""
    slices: tuple[str, ...] = ()
    """Features by whose values quality is told apart."""
    golden: str | None = None
    """File of trusted labelled rows, beside the pipeline file."""
    probation_rows: Count = 1_000
    """Labels after a promotion within which it is undone by itself."""


class Rollout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a promoted model comes to serve."""

    canary_share: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Of the entities, which it serves first; 0: all at once."""


class Encoding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are written; every other topic is JSON."""

    events: Literal["json", "avro"] = "json"
    """Of `events`."""
    schema_registry: str = ""
    """URL, for Avro; the environment variable SCHEMA_REGISTRY_URL goes before it."""


class Retention(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things are kept. Kept for ever is what the log decides: `labelled`, models, and whatever is audited."""

    events: Duration = Duration(7 * 86_400_000)
    """Records of `events`."""
    predictions: Duration = Duration(30 * 86_400_000)
    """Records of `predictions`."""
    dead_letters: Duration = Duration(30 * 86_400_000)
    """Records of `dead-letters`."""
    labels: Duration = Duration(30 * 86_400_000)
    """Records of `labels`."""
    drift_stats: Duration = Duration(90 * 86_400_000)
    """Records of `drift-stats`."""
    tables: Duration | None = None
    """Rows of PostgreSQL's tables, by whole days of their records' time; absent: for ever."""


class Pipeline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pipeline: everything the services need to know about it."""

    pipeline: Identity
    features: tuple[Feature, ...]
    replay: Replay | None = None
    windows: Windows = Windows()
    drift: Drift = Drift()
    retraining: Retraining = Retraining()
    gate: Gate = Gate()
    encoding: Encoding = Encoding()
    rollout: Rollout = Rollout()
    retention: Retention = Retention()

    @property
    def name(self) -> str:
        """The prefix of every topic and the name of its PostgreSQL schema."""
        return self.pipeline.name

    @property
    def task(self) -> Task:
        """binary, multiclass or regression."""
        return self.pipeline.task

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of the whole definition, without what is younger than the first pipelines
        where it is the default: `encoding`, and a feature's range; and without `retention`, which changes no answer."""
        tables = msgspec.structs.asdict(self)
        tables["features"] = [{key: value for key, value in msgspec.structs.asdict(feature).items()
                               if key not in RANGE or value is not None} for feature in self.features]
        if self.encoding == Encoding():
            del tables["encoding"]
        del tables["retention"]
        return hashlib.sha256(msgspec.json.encode(tables, enc_hook=str)).hexdigest()


def load_pipeline(path: Path) -> Pipeline:
    """Read and check a pipeline file.

    Raises:
        PipelineError: naming file, key, what was found and what is allowed.
    """
    return parse_document(read_document(path), str(path))


def read_document(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, unchecked.

    Raises:
        PipelineError: where it cannot be read or is not TOML.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read ({error.strerror}); give the path of a pipeline file") from error
    except UnicodeDecodeError as error:
        raise PipelineError(f"{path}: not UTF-8 ({error}); save the file as UTF-8") from error
    return _document(text, str(path))


def parse_pipeline(text: str, origin: str) -> Pipeline:
    """Check the text of a pipeline file; `origin` names it in errors.

    Raises:
        PipelineError: as for `load_pipeline`.
    """
    return parse_document(_document(text, origin), origin)


def parse_document(document: dict[str, Any], origin: str) -> Pipeline:
    """Check the tables of a pipeline file; `origin` names it in errors.

    Raises:
        PipelineError: as for `load_pipeline`.
    """
    _reject_unknown_keys(document, Pipeline, origin, "")
    try:
        pipeline = msgspec.convert(document, Pipeline, dec_hook=_parse_text)
    except msgspec.ValidationError as error:
        raise PipelineError(_explain(str(error), document, origin)) from error
    problem = _inconsistency(pipeline)
    if problem:
        raise PipelineError(f"{origin}: {problem}")
    return pipeline


def _document(text: str, origin: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PipelineError(f"{origin}: not TOML: {error}") from error


def _parse_text(kind: type, value: object) -> object:
    if kind in (Duration, FalseAlarmBudget, ImplicitLabel) and isinstance(value, str):
        return kind.parse(value)
    raise ValueError("expected text")


def _reject_unknown_keys(value: object, kind: Any, origin: str, path: str) -> None:
    """Msgspec names the first unknown key but not the allowed ones; a typo deserves both."""
    if isinstance(value, list) and get_args(kind):
        for index, item in enumerate(value):
            _reject_unknown_keys(item, get_args(kind)[0], origin, f"{path}[{index}]")
        return
    structs = [k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, Struct)]
    if not isinstance(value, dict) or not structs:
        return
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(structs[0])}
    for key, item in value.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in fields:
            raise PipelineError(f"{origin}: unknown key '{where}'; allowed here: {', '.join(sorted(fields))}")
        _reject_unknown_keys(item, fields[key], origin, where)


def _explain(message: str, document: dict[str, Any], origin: str) -> str:
    reason, _, location = message.partition(" - at `$")
    path = location.rstrip("`").lstrip(".")
    found: Any = document
    for step in re.findall(r"[^.\[\]]+", path):
        found = found[int(step)] if isinstance(found, list) else found[step]
    missing = re.fullmatch(r"Object missing required field `(\w+)`", reason)
    if missing:
        return f"{origin}: key '{f'{path}.{missing[1]}'.lstrip('.')}' is missing; it is required"
    return f"{origin}: key '{path}': found {found!r}; {reason[0].lower()}{reason[1:]}{_allowed(path)}"


def _allowed(path: str) -> str:
    kind: Any = Pipeline
    for step in re.findall(r"[^.\[\]]+", re.sub(r"\[\d+\]|\[\.\.\.\]", "", path)):
        struct = next((k for k in (kind, *get_args(kind)) if isinstance(k, type) and issubclass(k, Struct)), None)
        if struct is None:
            return ""
        kind = next(f.type for f in msgspec.structs.fields(struct) if f.encode_name == step)
    options = ", ".join(map(repr, _literals(kind)))
    return f"; allowed: {options}" if options else ""


def _literals(kind: Any) -> list[str]:
    return [text for arg in get_args(kind) for text in ([arg] if isinstance(arg, str) else _literals(arg))]


def _inconsistency(pipeline: Pipeline) -> str | None:
    names = [feature.name for feature in pipeline.features]
    twice = sorted({name for name in names if names.count(name) > 1})
    budget = pipeline.drift.false_alarms
    checks = [
        (_NAME.fullmatch(pipeline.name) is None,
         f"key 'pipeline.name': found '{pipeline.name}'; allowed: a lower-case letter, then letters, digits, _"),
        (not names, "key 'features' is empty; at least one [[features]] table is needed"),
        (bool(twice), f"key 'features': the name {', '.join(twice)} occurs twice; names must be distinct"),
        (pipeline.windows.size <= 0, "key 'windows.size': found 0; allowed: a positive duration"),
        (pipeline.windows.size > 0 and budget.windows(pipeline.windows.size) < 1,
         f"key 'drift.false_alarms': found '{budget}', less than one window; allowed: at least windows.size"),
        *_open_window_checks(pipeline),
        (not pipeline.retraining.families,
         f"key 'retraining.families' is empty; allowed: {', '.join(get_args(Family))}"),
        (not pipeline.retraining.windows, "key 'retraining.windows' is empty; allowed: row counts and \"all\""),
        *(check for feature in pipeline.features for check in _feature_checks(feature)),
        *_label_checks(pipeline.pipeline),
        *_slice_checks(pipeline.gate.slices, names),
        *_replay_checks(pipeline.replay, names),
        *_encoding_checks(pipeline.encoding),
        *_retention_checks(pipeline),
        *detector_checks(pipeline.task, pipeline.drift.detectors, pipeline.drift.alerting_detectors),
    ]
    return next((message for failed, message in checks if failed), None)


def _open_window_checks(pipeline: Pipeline) -> Iterator[tuple[bool, str]]:
    """Every window that may be open at once is in one checkpoint of its partition."""
    windows = pipeline.windows
    cells = sum(MOST_CELLS[feature.type] for feature in pipeline.features)
    allowed = _MAX_OPEN_CELLS // max(1, cells)
    opened = (windows.max_future + windows.lateness) // max(1, windows.size) + 2
    message = (f"keys 'windows.max_future' and 'windows.lateness' let {opened:,} windows of 'windows.size' be open at "
               f"once; {len(pipeline.features)} features allow {allowed:,}; shorten them, or lengthen windows.size")
    yield opened > allowed, message


def _feature_checks(feature: Feature) -> Iterator[tuple[bool, str]]:
    yield (re.fullmatch(r'[^"\\\x00-\x1f]+', feature.name) is None,
           f"key 'features': found the name {feature.name!r}; allowed: text without quotes and backslashes")
    yield (feature.name in {LOSS, PREDICTION},
           f"key 'features': found the name '{feature.name}', under which the model itself is watched; rename it")
    yield (_wrong_default(feature), f"feature '{feature.name}': default {feature.default!r} is not a {feature.type}")
    yield (feature.type != "number" and not feature.min is feature.max is None,
           f"feature '{feature.name}' has a range but is a {feature.type}; min and max are for numbers")
    yield (feature.min is not None and feature.max is not None and feature.min > feature.max,
           f"feature '{feature.name}': min {feature.min} is above max {feature.max}")
    yield (feature.default is not None and not feature.optional,
           f"feature '{feature.name}' has a default but is not optional; add optional = true")


def _label_checks(identity: Identity) -> Iterator[tuple[bool, str]]:
    implicit = identity.unlabelled_after
    yield identity.label_horizon <= 0, "key 'pipeline.label_horizon': found 0; allowed: a positive duration"
    if implicit is not None:
        where = f"key 'pipeline.unlabelled_after': found '{implicit}'"
        yield implicit.after <= 0, f"{where}; allowed: a positive duration before the arrow"
        yield (identity.task == "regression",
               f"{where}, but silence is no number; allowed for the tasks binary and multiclass")


def _slice_checks(slices: tuple[str, ...], features: list[str]) -> Iterator[tuple[bool, str]]:
    for name in slices:
        yield (name not in features,
               f"key 'gate.slices': found '{name}', which is no feature; allowed: {', '.join(features)}")


def _replay_checks(replay: Replay | None, features: list[str]) -> Iterator[tuple[bool, str]]:
    if replay is None:
        return
    yield (replay.label in features,
           f"key 'replay.label': found '{replay.label}', which is a feature; a model must not see its label")
    for column in replay.drop:
        yield column in features, f"key 'replay.drop': found '{column}', which is a feature; remove it from one of them"
    yield (not _is_time(replay.start),
           f"key 'replay.start': found '{replay.start}'; allowed: a time such as 2000-01-01T00:00:00Z")


def _encoding_checks(encoding: Encoding) -> Iterator[tuple[bool, str]]:
    url = encoding.schema_registry
    yield ("@" in url, "key 'encoding.schema_registry' names a user; set SCHEMA_REGISTRY_AUTH=user:password instead")
    yield (bool(url) and re.match(r"https?://[^/\s]+", url) is None,
           f"key 'encoding.schema_registry': found '{url}'; allowed: a URL such as http://registry:8081")


def _retention_checks(pipeline: Pipeline) -> Iterator[tuple[bool, str]]:
    kept = msgspec.structs.asdict(pipeline.retention)
    for name, span in kept.items():
        yield span is not None and span <= 0, f"key 'retention.{name}': found 0; allowed: a positive duration"
    tables, horizon = pipeline.retention.tables, pipeline.pipeline.label_horizon
    message = ("key 'retention.tables' is shorter than 'pipeline.label_horizon': a label would find no prediction; "
               "lengthen it, or shorten the horizon")
    yield tables is not None and tables < horizon, message


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _wrong_default(feature: Feature) -> bool:
    value = feature.default
    if value is None:
        return False
    if feature.type == "number":
        return isinstance(value, (bool, str)) or not isfinite(value)
    return not isinstance(value, {"category": str, "boolean": bool}[feature.type])
