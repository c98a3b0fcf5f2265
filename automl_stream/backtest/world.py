"""What Kafka and MLflow are to the trainer, in memory: the log of models, the decisions, and what training costs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from automl_stream.backtest.result import Swap
from drift.predictions import decode_predictions
from drift.profile import ReferenceProfile
from schemas.messages import Artifact, ModelAnnouncement, TrainingDecision
from schemas.model_log import NO_EPOCH, Accepted, ModelLog
from schemas.pipeline import Pipeline
from stream_apps.drift_report import Predictions
from stream_apps.model_slot import LoadedModel, load_model
from trainer.candidates import FittedExpert, fit
from trainer.effects import Announced, Answer, Effect, Promote, Refused, RenewProfile
from trainer.errors import ParityError, UnusableRows
from trainer.first_model import choose, first_state
from trainer.gate import Contender
from trainer.history import History, Rows, TrainingRows
from trainer.onnx_export import check_parity, export
from trainer.reference import prediction_reference, reference_profile
from trainer.session import PARITY_ROWS, Session, Steps

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
    """Answers one session. `row`: rows of the file read so far, set by whoever reads them; `clock` gives seconds."""

    def __init__(self, pipeline: Pipeline, clock: Clock, on_swap: OnSwap = lambda _swap, _onnx: None) -> None:
        self.row = 0
        self.decisions: list[tuple[int, TrainingDecision]] = []
        self.swaps: list[Swap] = []
        self.references = References()
        self.rollbacks = 0
        self.fits = 0
        self.fit_seconds = 0.0
        self.training_seconds = 0.0
        self._pipeline = pipeline
        self._clock = clock
        self._on_swap = on_swap
        self._models = ModelLog()
        self._onnx = b""
        self._profile = b""
        self._predictions: bytes | None = None
        self._serving: LoadedModel | None = None

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
        expert = self._fit(self._pipeline, first.recipe.family, data)
        self._renew(data.rows, first.losses)
        accepted = self._promote(Promote(
            decision_id=first.decision_id, reason="bootstrap", expert=expert, recipe=first.recipe,
            validation=data.rows.part(max(0, len(data.rows) - PARITY_ROWS), len(data.rows)), metrics={},
            answered=first.predictions, replaces=NO_EPOCH))
        self._refer(accepted, data.rows)
        state = first_state(self._pipeline, data, first, accepted.epoch)
        return Session(self._pipeline, state, history, {Contender.thaw(state.champion).key: expert}, self._fit)

    def serving(self) -> LoadedModel:
        """The champion, as a scorer loads it."""
        accepted = self._models.current
        assert accepted is not None  # noqa: S101 - `open` announced the first
        if self._serving is None or self._serving.accepted is not accepted:
            self._serving = load_model(accepted, self._onnx, self._profile, self._pipeline, self._predictions)
        return self._serving

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
        if isinstance(effect, TrainingDecision):
            self.decisions.append((self.row, effect))
        elif isinstance(effect, Promote):
            try:
                accepted = self._promote(effect)
            except ParityError as error:
                return Refused(reason=str(error))
            return Announced(epoch=accepted.epoch, version=accepted.announcement.version)
        elif isinstance(effect, RenewProfile):
            self._renew(effect.rows)
            self._predictions = prediction_reference(self._pipeline, self._onnx, effect.answered)
            version = self._models.accepted[-1].announcement.version
            accepted = self._announce(effect, version, "profile")
            self._refer(accepted, effect.rows)
            return Announced(epoch=accepted.epoch, version=version)
        return None

    def _promote(self, promote: Promote) -> Accepted:
        began = self._clock()
        onnx = export(promote.expert)
        check_parity(onnx, promote.expert, promote.validation, self._pipeline.gate.parity)
        self._predictions = prediction_reference(self._pipeline, onnx, promote.answered)
        self._spent(began)
        self._onnx = onnx
        served = {a.announcement.model.digest for a in self._models.accepted}
        self.rollbacks += _artifact(onnx).digest in served
        self.swaps.append(Swap(row=self.row, version=str(len(self.swaps) + 1), reason=promote.reason))
        self._on_swap(self.swaps[-1], onnx)
        return self._announce(promote, self.swaps[-1].version, promote.reason)

    def _announce(self, effect: Promote | RenewProfile, version: str, reason: str) -> Accepted:
        announcement = ModelAnnouncement(
            replaces=effect.replaces, version=version, model=_artifact(self._onnx), profile=_artifact(self._profile),
            predictions=None if self._predictions is None else _artifact(self._predictions), reason=reason,
            decision_id=effect.decision_id, issued_at=0)
        accepted = self._models.offer(self._models.epoch + 1, announcement)
        assert accepted  # noqa: S101 - one trainer: nobody else takes the slot
        epoch = self._models.epoch
        if self._predictions is not None:
            reference = decode_predictions(self._predictions, self._pipeline.task)
            self.references.predictions[epoch] = Predictions(epoch=epoch, reference=reference)
        return self._models.accepted[-1]

    def _renew(self, rows: Rows, losses: NDArray[np.float64] | None = None) -> None:
        began = self._clock()
        self._profile = reference_profile(self._pipeline, rows, losses).encode()
        self._spent(began)

    def _refer(self, accepted: Accepted, rows: Rows) -> None:
        """Rows are counted under this reference from the announcement on that brought it."""
        self.references.profiles[accepted.profile_epoch] = Reference(
            profile=ReferenceProfile.decode(self._profile), since=int(rows.ts.min()))

    def _fit(self, pipeline: Pipeline, family: str, data: TrainingRows) -> FittedExpert:
        began = self._clock()
        try:
            return fit(pipeline, family, data)
        finally:
            self._spent(began, fits=1)

    def _spent(self, began: float, fits: int = 0) -> None:
        seconds = self._clock() - began
        self.training_seconds += seconds
        self.fits += fits
        self.fit_seconds += seconds if fits else 0.0


def _artifact(data: bytes) -> Artifact:
    return Artifact(digest=hashlib.sha256(data).hexdigest(), size=len(data), offset=0)
