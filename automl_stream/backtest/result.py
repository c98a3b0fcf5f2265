"""What one backtest says, in the order of the flow. Its JSON keys are stable.

Rows are numbers of the file or the history, counted from 0; an end is exclusive. Times are event times in epoch
milliseconds.
"""

from msgspec import Struct


class FeaturePoint(Struct, frozen=True, kw_only=True):
    """One feature in one closed window, by its strongest contrast.

    `evidence`: -ln(p / weight), to be compared with the window's `threshold`. `effect` is signed, in reference standard
    deviations or Cohen's h; `lower_bound` is the 95 % bound of its size. `missing`: share of the window's rows.
    """

    name: str
    evidence: float
    effect: float
    lower_bound: float
    missing: float
    psi: float | None
    ks: float | None
    calibrated: bool
    alarm: bool


class Window(Struct, frozen=True, kw_only=True):
    """A closed window. `first_row` to `end_row`: where event time was in it; `rows`: those that were counted.

    `evidence`: of its strongest feature, whether that may alarm or not. `reference_row`: first row of the reference it
    is compared with; `profile`: digest of that reference's profile.
    """

    start: int
    first_row: int
    end_row: int
    rows: int
    alarm: bool
    evidence: float
    threshold: float
    sentence: str
    profile: str
    reference_row: int
    features: list[FeaturePoint]


class Alert(Struct, frozen=True, kw_only=True):
    """A drift alert. `row`: rows of the file read when its window closed; `onset_row`: where the change is estimated to
    have begun; `features`: the guilty ones, strongest first."""

    window_start: int
    row: int
    kind: str
    features: list[str]
    onset_row: int
    sentence: str
    alert_id: str
    detector: str = ""


class DetectorFiring(Struct, frozen=True, kw_only=True):
    """A label-based detector fired at the label of row `row`, which is at `offset` of the training log. `rose`: the
    loss rose there, or fell. `window_start`: of the window whose report says so."""

    detector: str
    offset: int
    row: int
    rose: bool
    window_start: int


class Detector(Struct, frozen=True, kw_only=True):
    """A label-based detector: how often it fired, and how often where nothing changes.

    `false_alarm_rate`: firings a row, of `steady_rows` rows; `upper_bound` is its 95 % bound. None where there was
    nothing to measure it on; `measured_on` says what there was, or was not. `alerting`: whether it may alert by itself.
    """

    detector: str
    alerting: bool
    firings: int
    measured_on: str
    false_alarm_rate: float | None = None
    upper_bound: float | None = None
    steady_rows: int = 0


class Decision(Struct, frozen=True, kw_only=True):
    """A verdict of the trainer, also 'not now', taken when `row` rows of the file were read."""

    row: int
    verdict: str
    trigger: str
    reason: str
    decision_id: str


class Swap(Struct, frozen=True, kw_only=True):
    """A model is put in charge of the rows from `row` on; of several at one row the last serves. `version`: 1 is the
    first model."""

    row: int
    version: str
    reason: str


class Cost(Struct, frozen=True, kw_only=True):
    """What it took on this machine: fits (the first model's included), their seconds, rows scored, seconds in all."""

    fits: int
    fit_seconds: float
    rows_scored: int
    seconds: float


class Result(Struct, frozen=True, kw_only=True):
    """One policy on one file or history.

    `rows`: of the file; the first `rows_trained` made the first model and are not scored. `retrainings`: rounds of
    training; `promotions` and `rollbacks` (to a model that has served before) are disjoint. Accuracy or mae over the
    scored rows with a label, of the loop and of the first model alone (`frozen`). `training_seconds`: fits, exports and
    reference profiles.

    `detectors`: the pipeline's label-based ones; `firings`: theirs, by offset.

    Where the truth is known: `false_alarms` and `delay_rows` (by row of the change; None: missed), as truth.py says.
    """

    policy: str
    pipeline: str
    rows: int
    rows_trained: int
    dead_letters: int
    windows: list[Window]
    alerts: list[Alert]
    decisions: list[Decision]
    swaps: list[Swap]
    retrainings: int
    promotions: int
    rollbacks: int
    accuracy: float | None
    accuracy_frozen: float | None
    mae: float | None
    mae_frozen: float | None
    training_seconds: float
    cost: Cost
    false_alarms: int | None
    delay_rows: dict[int, int | None] | None
    firings: list[DetectorFiring]
    detectors: list[Detector]
