"""Message types of every topic, in the order an event and then an alert meets them.

All times are epoch milliseconds. Readers ignore unknown fields; a missing optional field takes its default.
"""

import hashlib
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

FeatureValue = float | str | bool | None
LabelValue = str | float


class Message(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What every message carries: the version of its format."""

    v: int = 1


class Watermark(Message, frozen=True, kw_only=True):
    """A producer's word on `events` of one partition, marked by the header `type=watermark`.

    No row of this producer older than `ts` follows (the allowed lateness is still granted); until `ends` is true
    the source is merely pausing, so its partition is not idle.
    """

    ts: int
    ends: bool = False


class Model(Struct, frozen=True, kw_only=True):
    """Which model scored: the registry's version, SHA-256 of the ONNX file, offset of its announcement."""

    version: str
    digest: str
    epoch: int


class Prediction(Message, frozen=True, kw_only=True):
    """One scored event. `score`: probability of the positive class (binary), of the predicted one (multiclass),
    or the predicted value (regression). `features` is the vector that was scored, in the definition's order.
    `answered_epoch`: of the model whose answer somebody was given before; not written where nobody was."""

    event_id: str
    entity: str
    ts: int
    source: str
    source_day: str
    pipeline_digest: str
    model: Model
    prediction: LabelValue
    score: float
    probabilities: list[float] | None = None
    features: list[FeatureValue]
    scored_at: int
    answered_epoch: int | UnsetType = UNSET


DeadLetterReason = Literal["empty", "malformed", "invalid", "timestamp", "future", "expired", "poison"]


class DeadLetter(Message, frozen=True, kw_only=True):
    """A record that could not be scored: its raw bytes (base64), why, and where it stood.

    `last_offset` differs from the source's only for a range that retention removed (`expired`).
    """

    source: str
    reason: DeadLetterReason
    detail: str
    raw: bytes | None
    raw_key: bytes | None = None
    record_ts: int
    last_offset: int


class PredictionCounts(Struct, frozen=True, kw_only=True):
    """What the model of an epoch said in one window: one integer a cell of its own reference of predictions."""

    epoch: int
    counts: list[int]


class OpenWindow(Struct, frozen=True, kw_only=True):
    """Counts of one partition's window under one profile: rows, and one integer a cell of the profile.

    `predictions`: of each model that answered some of the rows and has a reference of its predictions, by epoch.
    """

    start: int
    profile: str
    profile_epoch: int
    rows: int
    counts: list[int]
    predictions: list[PredictionCounts] = []


class ScoreState(Message, frozen=True, kw_only=True):
    """Checkpoint of one partition: everything up to `covered` (exclusive) is scored, delivered and counted.

    Rows from `covered` on are scored by the models that serve after the announcement `epoch`. `paused`: the source said
    that it goes on: the partition is not idle. Rows before `predicted` had a prediction by `epoch` when a worker took
    the partition: they get it again, however often it dies meanwhile. `term`: numbers the partition's owners: a
    checkpoint of the newest one counts, whatever a predecessor writes after it.
    """

    partition: int
    covered: int
    epoch: int
    watermark: int | None
    windows: list[OpenWindow]
    late_rows: int
    paused: bool
    predicted: int = 0
    term: int = 0


class WindowCounts(Message, frozen=True, kw_only=True, tag_field="type", tag="counts"):
    """Final counts of one partition's window. Equal keys are equal records; the first counts."""

    partition: int
    covered: int
    window: OpenWindow


class PartitionWatermark(Message, frozen=True, kw_only=True, tag_field="type", tag="watermark"):
    """Where one partition stands: every window that ends at or before `watermark` is final in it; None: no row yet."""

    partition: int
    covered: int
    watermark: int | None
    idle: bool


class PartitionCount(Message, frozen=True, kw_only=True, tag_field="type", tag="partitions"):
    """`events` is given more partitions: from here on a window closes only when all `partitions` are final or idle.

    `before`: how many there were, so that what stands before the first such record can be read without the rest.
    """

    partitions: int
    before: int


WindowRecord = WindowCounts | PartitionWatermark | PartitionCount


class Label(Message, frozen=True, kw_only=True):
    """The truth about an event; of several the highest revision counts. `labeller`: who says so."""

    event_id: str
    entity: str
    ts: int
    label: str | float | bool
    revision: Annotated[int, Meta(ge=0)] = 0
    labeller: str = ""


class LabelledEvent(Message, frozen=True, kw_only=True):
    """An event with its label: one row of the training log. Rows of `bootstrap` carry no prediction.

    `implicit`: nobody labelled it in time, and silence is an answer; its revision is below that of every label.
    `conflict`: two labels of this revision contradict each other, so neither counts; `label` is the first.
    """

    event_id: str
    entity: str
    ts: int
    source: str
    pipeline_digest: str
    features: list[FeatureValue]
    label: LabelValue
    revision: int = 0
    labelled_ts: int
    model: Model | None = None
    prediction: LabelValue | None = None
    score: float | None = None
    probabilities: list[float] | None = None
    labeller: str = ""
    implicit: bool = False
    conflict: bool = False


class Quality(Struct, frozen=True, kw_only=True):
    """How good served answers were on `rows` labelled rows: of all, of one model `version`, or where `feature` had the
    value `value`. What a task does not have, or the rows do not show, is null.

    `no_change_accuracy`, `no_change_mae`: of always answering the label before; `kappa_temporal`: how much of the way
    from there to perfect the model goes (below 0: none).
    """

    version: str | None = None
    feature: str | None = None
    value: str | None = None
    rows: int
    accuracy: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    auc: float | None = None
    no_change_accuracy: float | None = None
    kappa_temporal: float | None = None
    mae: float | None = None
    rmse: float | None = None
    no_change_mae: float | None = None


class QualityReport(Message, frozen=True, kw_only=True):
    """Live quality on the rows of `labelled` from offset `first` to `last` (inclusive), distinct by event.

    `window_start`, `window_end`: oldest and newest event time among them. `qualities`: of all rows, then by version,
    then by slice; `left_out`: versions and slices beyond the bounds. `classes`: those that `labelled` has shown so far,
    in that order, and `previous`, its last label: what the next report goes on from.
    """

    first: int
    last: int
    window_start: int
    window_end: int
    qualities: list[Quality]
    left_out: int
    classes: list[str]
    previous: LabelValue | None
    pipeline_digest: str


class FeatureDrift(Struct, frozen=True, kw_only=True):
    """One feature of a closed window. `effect` in reference standard deviations or Cohen's h; `scale` in windows.

    `psi` is less its bias in small windows. `chi_square` is the G statistic, `chi_square_p` its p-value for independent
    rows. `wasserstein` and both shifts are in reference standard deviations. `uncalibrated`: why it must not alarm.
    `counts`: rows by cell of the reference, missing last.
    """

    name: str
    rows: int
    missing: float
    ks: float | None
    psi: float | None
    jensen_shannon: float | None
    effect: float
    lower_bound: float
    log_p: float
    scale: int
    contrast: str
    calibrated: bool
    alarm: bool
    wasserstein: float | None = None
    chi_square: float | None = None
    chi_square_p: float | None = None
    mean_shift: float | None = None
    spread_shift: float | None = None
    uncalibrated: str = ""
    counts: list[int] = []


class Firing(Struct, frozen=True, kw_only=True):
    """A label-based detector fired at the row of this offset of `labelled`; `rose`: the loss rose there, or fell."""

    detector: str
    offset: int
    rose: bool


class DriftReport(Message, frozen=True, kw_only=True):
    """Verdict on one closed window. `covered`: offsets of `events` (exclusive) by partition.

    `onset`: of an alarm, the start of the window in which the change began. `labelled`: end (exclusive) of the labelled
    rows whose losses were counted; those since the report before it are this window's. `firings`: at these rows, by
    offset; the verdict knows nothing of them. `config`: version of the definition that the judge had, -1: its file.
    `predictions`: epoch of the model against whose reference `model.prediction` was judged, -1: it was not.
    """

    window_start: int
    window_end: int
    profile: str
    rows: int
    covered: dict[str, int]
    pipeline_digest: str
    alarm: bool
    verdict: str
    features: list[FeatureDrift]
    onset: int | None = None
    labelled: int = 0
    firings: list[Firing] = []
    config: int = -1
    predictions: int = -1


AlertKind = Literal["covariate", "prediction", "missing", "schema", "concept"]


class DriftAlert(Message, frozen=True, kw_only=True):
    """A change that the declared budget does not explain. `labelled_offset`: it applies before that row.

    `detector`: the label-based detector that alerts, outside the budget, where the operator lets it.
    """

    alert_id: str
    kind: AlertKind
    window_start: int
    window_end: int
    scale: int
    onset: int
    features: list[str]
    sentence: str
    budget: str
    profile: str
    model: Model
    labelled_offset: int
    detector: str = ""


CommandAction = Literal["promote", "rollback", "pause", "resume", "refresh", "erase"]


class Command(Message, frozen=True, kw_only=True):
    """An operator's word to the trainer; `erase` is one that was carried out elsewhere and stands here for the record.
    `labelled_offset`: it applies before that row, as an alert does.

    `version`: of the registry, to promote. `share`: of the entities, where the version shall be a canary first.
    """

    command_id: str
    action: CommandAction
    version: str | None = None
    share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    by: str
    reason: str = ""
    labelled_offset: int
    issued_at: int


class Configuration(Message, frozen=True, kw_only=True):
    """A version of the pipeline's definition: its offset is its name. `text`: the file (TOML). `replaces`: the version
    that it was made from, -1 for the first; who reads the log takes it only if that is the newest.

    `labelled_offset`: the trainer takes it before that row, as it does a command; what has passed is taken on arrival.
    """

    text: str
    digest: str
    replaces: int
    by: str
    reason: str = ""
    labelled_offset: int
    issued_at: int


class Dataset(Struct, frozen=True, kw_only=True):
    """Rows of `labelled` from `first` to `last` (inclusive); `digest` over the rows that were used."""

    first: int
    last: int
    rows: int
    digest: str


class Recipe(Struct, frozen=True, kw_only=True):
    """What is needed to fit the same model again. `window`: rows asked for, or 'all' or 'onset'; `parameters`: of the
    family, as the search or the early stop chose them; one that is missing has its family's default."""

    family: str
    window: int | Literal["all", "onset"]
    dataset: Dataset
    seed: int
    parameters: dict[str, float | int | str] = {}


class Candidate(Struct, frozen=True, kw_only=True):
    """One contender as the gate saw it: discounted mean loss over `rows` rows that it was not fitted on."""

    recipe: Recipe
    loss: float | None
    rows: int


Rule = Literal["evidence", "succession", "bootstrap", "operator"]


class GateVerdict(Struct, frozen=True, kw_only=True):
    """How the winner compares with the champion on the same rows. `evidence`: log e-value of its being better."""

    rule: Rule
    champion_loss: float | None
    candidate_loss: float | None
    rows: int
    evidence: float | None = None
    golden: str | None = None


Verdict = Literal["suppressed", "deferred", "trained", "promoted", "rejected", "failed", "settled", "rolled-back",
                  "canary", "withdrawn", "paused", "resumed"]


class TrainingDecision(Message, frozen=True, kw_only=True):
    """One verdict of the trainer, also 'not now'. `at`: offset of `labelled` at which it was taken.

    `paused`: by an operator, or by the breaker: nothing happens by itself until an operator resumes. `deferred` with a
    recipe: a candidate that awaits an operator's word. `by`: the operator whose command it answers. `environment`: of a
    promotion, what its bytes may depend on: versions of Python and of libraries, digest of the pipeline file.
    """

    decision_id: str
    incident_id: str | None
    trigger: str
    verdict: Verdict
    reason: str
    at: int
    dataset: Dataset | None = None
    candidates: list[Candidate] = []
    recipe: Recipe | None = None
    gate: GateVerdict | None = None
    version: str | None = None
    run: str | None = None
    by: str | None = None
    environment: dict[str, str] = {}


class Expert(Struct, frozen=True, kw_only=True):
    """A fitted model under judgement, without its bytes: `recipe` fits it again.

    `loss` and `weight` are the discounted sums of losses and of ones over rows it was not fitted on, its kind's record
    inherited; `rows` are the fresh ones of its own, `own_loss` the sum over them. The shared sums compare it with the
    champion on the same rows; `evidence` is the log e-value of its being better than the champion, `counter_evidence`
    of its being worse.
    `version`: of the registry, where it has served or serves as a canary; `registered`: the decision that it is
    registered under.
    """

    decision_id: str
    recipe: Recipe
    rows: int = 0
    own_loss: float = 0.0
    loss: float
    weight: float
    shared_rows: int = 0
    shared_loss: float = 0.0
    champion_loss: float = 0.0
    evidence: float = 0.0
    counter_evidence: float = 0.0
    version: str | None = None
    registered: str | None = None


class TrainingRound(Struct, frozen=True, kw_only=True):
    """One training whose candidates await the gate. `multiple`: of min_new_labels since the onset, 0 for a refresh."""

    decision_id: str
    trigger: str
    dataset: Dataset
    incident_id: str | None = None
    multiple: int = 0


class Incident(Struct, frozen=True, kw_only=True):
    """An open incident. `labels`: rows since the onset; at `next_multiple` x min_new_labels training is due."""

    incident_id: str
    onset: int
    opened: int
    labels: int = 0
    alerts: int = 1
    next_multiple: int = 1
    promotions: int = 0


class Baseline(Struct, frozen=True, kw_only=True):
    """Discounted sums over the rows of who knows no features: of losses, of labels by class, or of values."""

    weight: float = 0.0
    loss: float = 0.0
    counts: dict[str, float] = {}
    total: float = 0.0


class Trial(Struct, frozen=True, kw_only=True):
    """A canary under trial: which expert (of `experts`), announced as `epoch`, since how many `labels`."""

    decision_id: str
    family: str
    window: int | Literal["all", "onset"]
    epoch: int
    share: float
    labels: int


class PastIncident(Struct, frozen=True, kw_only=True):
    """The last incident, in event time: when it opened, and the newest row when it settled."""

    opened: int
    settled: int


class TrainerState(Message, frozen=True, kw_only=True):
    """Everything the trainer stands on after the rows of `labelled` before `covered`, the alerts before
    `covered_alerts` and the commands before `covered_commands`. `labels`: rows that counted so far; `event_time`:
    newest of them; `loss_scale`: divides absolute errors (regression).

    `promoted_labels`: `labels` when the champion was promoted, while it is on probation; `former`: versions of the
    champions before it, the newest last. `paused`: why nothing happens by itself. `strikes`: event times of failures,
    `hopeless`: rounds in a row after which nobody was better than `baseline`; the breaker counts both. `canary_epoch`:
    of the last announcement of the canary's slot. `stretch`: times that the next refresh waits, since fits took so many
    times `fit_seconds`. `covered_config`: the versions of the definition before it have been taken.
    """

    covered: int
    covered_alerts: int
    labels: int
    event_time: int
    loss_scale: float
    champion: Expert
    champion_epoch: int
    experts: list[Expert] = []
    rounds: list[TrainingRound] = []
    incident: Incident | None = None
    last_incident: PastIncident | None = None
    last_alert: str | None = None
    refreshed_labels: int
    refreshed_at: int
    covered_commands: int = 0
    promoted_labels: int | None = None
    former: list[str] = []
    paused: str | None = None
    strikes: list[int] = []
    trial: Trial | None = None
    canary_epoch: int = -1
    baseline: Baseline = Baseline()
    hopeless: int = 0
    stretch: int = 1
    covered_config: int = 0


class Artifact(Struct, frozen=True, kw_only=True):
    """Bytes on `model-artifacts`: SHA-256, size, offset of the first chunk."""

    digest: str
    size: int
    offset: int


class ModelAnnouncement(Message, frozen=True, kw_only=True):
    """A new content of a slot. `replaces`: epoch it was gated against, -1 for the first. `predictions`: reference of
    what the model says; without it its predictions are not watched.

    A canary scores a `share` of the entities until it is withdrawn (share 0) or the champion changes.
    """

    slot: Literal["champion", "canary"] = "champion"
    share: Annotated[float, Meta(ge=0, le=1)] = 0.0
    replaces: int
    version: str
    model: Artifact
    profile: Artifact
    predictions: Artifact | None = None
    reason: str
    decision_id: str
    issued_at: int


class AuditHead(Message, frozen=True, kw_only=True):
    """The audit of a topic's partition is stored up to `position` (inclusive), and `chain` (hex) binds all of it:
    whoever changes a row there must also change this record, which no one can. See schemas/audit_chain.py."""

    topic: str
    partition: int
    position: int
    chain: str


def derived_id(*parts: object) -> str:
    """Id of what it is about: the same parts give the same id in every replay."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:20]


