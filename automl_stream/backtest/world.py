"""What Kafka and MLflow are to the trainer, in memory: the log of models, the decisions, and what training costs."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from automl_stream.backtest.result import Swap
from drift.predictions import decode_predictions
from drift.profile import ReferenceProfile
from schemas.messages import Artifact, ModelAnnouncement, Recipe, TrainingDecision
from schemas.model_log import NO_EPOCH, Accepted, ModelLog
from schemas.pipeline import Pipeline
from stream_apps.drift_report import Predictions
from stream_apps.model_slot import LoadedModel, Slots, load_model
from trainer.candidates import FittedExpert, fit
from trainer.effects import (
    Announced,
    Answer,
    Checkpoint,
    Effect,
    Fitted,
    Promote,
    Recall,
    Refused,
    RenewProfile,
    Steps,
    Took,
    Withdraw,
    recalled,
)
from trainer.errors import ParityError, UnusableRows
from trainer.first_model import choose, first_decision, first_state
from trainer.gate import Contender
from trainer.guards import Golden
from trainer.history import History, Rows, TrainingRows
from trainer.onnx_export import check_parity, export
from trainer.recipes import Plan
from trainer.reference import prediction_reference, reference_profile
from trainer.serving import PARITY_ROWS
from trainer.session import Session
from trainer.tuning import Tuner

Clock = Callable[[], float]
OnSwap = Callable[[Swap, bytes], None]  # hears of each model that is put in charge, with its ONNX file


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What windows are compared with; `since`: event time of its oldest row."""

    profile: ReferenceProfile
    since: int


@dataclass(frozen=True, kw_only=True)
class References:
    """Profiles by the epoch that brought them, and what is known of a model's predictions by its epoch."""

    profiles: dict[int, Reference] = field(default_factory=dict)
    predictions: dict[int, Predictions] = field(default_factory=dict)


class World:
    """Answers one session. `row`: rows of the file read so far, set by whoever reads them; `clock` gives seconds;
    `golden`: the trusted rows, where there are some."""

    def __init__(self, pipeline: Pipeline, clock: Clock, golden: Golden | None = None,
                 on_swap: OnSwap = lambda _swap, _onnx: None) -> None:
        self.row = 0
        self.decisions: list[tuple[int, TrainingDecision]] = []
        self.swaps: list[Swap] = []
        self.references = References()
        self.rollbacks = 0
        self.fits = 0
        self.fit_seconds = 0.0
        self.training_seconds = 0.0
        self._pipeline = pipeline
        self._golden = golden
        self._clock = clock
        self._tuner = Tuner(clock)
        self._on_swap = on_swap
        self._models = ModelLog()
        self._profile = b""
        self._files: dict[int, _Files] = {}  # by the epoch that announced them
        self._loaded: dict[int, LoadedModel] = {}
        self._versions: dict[str, str] = {}  # by the decision that registered them

    def open(self, history: History, end: int) -> Session:
        """The session that stands on the first model, trained on all of `history`, whose offsets end at `end`.

        Raises:
            UnusableRows: when no model can be trained on them.
            ParityError: when its ONNX file does not answer like it.
        """
        if end == 0:
            raise UnusableRows("no row of the first part can train a model; its labels may be missing, or the label "
                               "column or the feature columns misnamed")
        data = history.dataset(history.first_offset(), end - 1)
        began = self._clock()
        first = choose(self._pipeline, data)
        self._spent(began, fits=len(first.holdout))
        expert = self._fit(self._pipeline, first.recipe, data)
        self._renew(data.rows, first.losses)
        accepted = self._accept(Promote(
            decision_id=first.decision_id, reason="bootstrap", expert=expert, recipe=first.recipe,
            validation=data.rows.part(max(0, len(data.rows) - PARITY_ROWS), len(data.rows)), metrics={},
            answered=first.predictions, replaces=NO_EPOCH, registered=first.decision_id))
        self._refer(accepted, data.rows)
        self._bootstrap = replace(first_decision(first), verdict="promoted", version=accepted.announcement.version)
        state = first_state(self._pipeline, data, first, accepted.epoch)
        return Session(self._pipeline, state, history, {Contender.thaw(state.champion).key: expert}, self._fit,
                       self._golden, self._tune)

    def serving(self) -> LoadedModel:
        """The champion, as a scorer loads it."""
        return self.slots().champion

    def slots(self) -> Slots:
        """The champion and, where one is tried, the canary."""
        serving = self._models.serving(self._models.latest)
        assert serving is not None  # noqa: S101 - `open` announced the first
        kept = {a.epoch: self._load(a) for a in (serving.champion, serving.canary) if a is not None}
        self._loaded = kept
        canary = serving.canary
        return Slots(epoch=serving.epoch, champion=kept[serving.champion.epoch],
                     canary=kept[canary.epoch] if canary else None,
                     share=canary.announcement.share if canary else 0.0)

    def profile_epoch(self, epoch: int) -> int:
        """Epoch of the announcement that brought the profile under which the model of `epoch` served."""
        accepted = self._models.find(epoch)
        assert accepted is not None  # noqa: S101 - a model that served was announced
        return accepted.profile_epoch

    def drive(self, steps: Steps) -> None:
        """Do what the session asks for, to its end."""
        answer: Answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                return
            answer = self._answer(effect)

    def _answer(self, effect: Effect) -> Answer:
        match effect:
            case TrainingDecision():
                self.decisions.append((self.row, effect))
            case Fitted():
                return Took(seconds=0.0)  # a backtest gives the same, however busy the machine is
            case Promote():
                return self._promote(effect)
            case Recall():
                return recalled([self._bootstrap, *(decision for _, decision in self.decisions)], effect.named)
            case Withdraw():
                return self._withdraw(effect)
            case RenewProfile():
                return self._renew_profile(effect)
            case Checkpoint():
                pass
        return None

    def _promote(self, promote: Promote) -> Announced | Refused:
        try:
            accepted = self._accept(promote)
        except ParityError as error:
            return Refused(reason=str(error))
        return Announced(epoch=accepted.epoch, version=accepted.announcement.version)

    def _accept(self, promote: Promote) -> Accepted:
        began = self._clock()
        onnx = export(promote.expert)
        check_parity(onnx, promote.expert, promote.validation, self._pipeline.gate.parity)
        files = _Files(onnx, prediction_reference(self._pipeline, onnx, promote.answered))
        self._spent(began)
        version = self._versions.setdefault(promote.registered, str(len(self._versions) + 1))
        if promote.share:
            return self._announce(promote, version, promote.reason, files, promote.share)
        served = {a.announcement.model.digest for a in self._models.accepted}
        self.rollbacks += _artifact(onnx).digest in served
        self.swaps.append(Swap(row=self.row, version=version, reason=promote.reason))
        self._on_swap(self.swaps[-1], onnx)
        return self._announce(promote, version, promote.reason, files)

    def _withdraw(self, withdraw: Withdraw) -> Announced:
        canary = self._models.canaries[-1]
        ended = self._announce(withdraw, canary.announcement.version, withdraw.reason, self._files[canary.epoch], 0.0)
        return Announced(epoch=ended.epoch, version=ended.announcement.version)

    def _renew_profile(self, renew: RenewProfile) -> Announced:
        self._renew(renew.rows)
        onnx = self._files[self._models.epoch].onnx
        files = _Files(onnx, prediction_reference(self._pipeline, onnx, renew.answered))
        version = self._models.accepted[-1].announcement.version
        accepted = self._announce(renew, version, "profile", files)
        self._refer(accepted, renew.rows)
        return Announced(epoch=accepted.epoch, version=version)

    def _announce(self, effect: Promote | Withdraw | RenewProfile, version: str, reason: str, files: "_Files",
                  canary_share: float | None = None) -> Accepted:
        predictions = files.predictions
        announcement = ModelAnnouncement(
            slot="champion" if canary_share is None else "canary", share=canary_share or 0.0,
            replaces=effect.replaces, version=version, model=_artifact(files.onnx), profile=_artifact(self._profile),
            predictions=None if predictions is None else _artifact(predictions), reason=reason,
            decision_id=effect.decision_id, issued_at=0)
        epoch = self._models.latest + 1
        accepted = self._models.offer(epoch, announcement)
        assert accepted  # noqa: S101 - one trainer: nobody else takes the slot
        kept = (self._models.epoch, epoch)
        self._files = {known: held for known, held in self._files.items() if known in kept} | {epoch: files}
        if predictions is not None:
            reference = decode_predictions(predictions, self._pipeline.task)
            self.references.predictions[epoch] = Predictions(epoch=epoch, reference=reference)
        return (self._models.accepted if canary_share is None else self._models.canaries)[-1]

    def _load(self, accepted: Accepted) -> LoadedModel:
        if accepted.epoch in self._loaded:
            return self._loaded[accepted.epoch]
        files = self._files[accepted.epoch]
        return load_model(accepted, files.onnx, self._profile, self._pipeline, files.predictions)

    def _renew(self, rows: Rows, losses: NDArray[np.float64] | None = None) -> None:
        began = self._clock()
        self._profile = reference_profile(self._pipeline, rows, losses).encode()
        self._spent(began)

    def _refer(self, accepted: Accepted, rows: Rows) -> None:
        """Rows are counted under this reference from the announcement on that brought it."""
        self.references.profiles[accepted.profile_epoch] = Reference(
            profile=ReferenceProfile.decode(self._profile), since=int(rows.ts.min()))

    def _tune(self, pipeline: Pipeline, decision_id: str, plans: Sequence[Plan]) -> list[Plan]:
        began = self._clock()
        tuned = self._tuner(pipeline, decision_id, plans)
        self._spent(began)
        return tuned

    def _fit(self, pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
        began = self._clock()
        try:
            return fit(pipeline, recipe, data)
        finally:
            self._spent(began, fits=1)

    def _spent(self, began: float, fits: int = 0) -> None:
        seconds = self._clock() - began
        self.training_seconds += seconds
        self.fits += fits
        self.fit_seconds += seconds if fits else 0.0


class _Files(NamedTuple):
    """Of an announced model: the ONNX file, and the reference of its predictions."""

    onnx: bytes
    predictions: bytes | None


def _artifact(data: bytes) -> Artifact:
    return Artifact(digest=hashlib.sha256(data).hexdigest(), size=len(data), offset=0)
