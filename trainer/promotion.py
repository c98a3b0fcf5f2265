"""From a fitted expert to an announced model, in the one order that survives a crash at any step."""

import time
from dataclasses import dataclass

import structlog

from schemas.messages import Artifact, Recipe
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline
from trainer.announce import Announcer, Parts
from trainer.candidates import FittedExpert
from trainer.history import Rows
from trainer.onnx_export import check_parity, export
from trainer.reference import prediction_reference
from trainer.registry import CHALLENGER, CHAMPION, Registration, Registry

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What shall serve: an expert with its recipe, the rows that parity is checked on, why, and what it replaces.

    `profile`: bytes of a new reference profile, or the artifact that serves on. `answered`, `registered`, `share`: as
    `Promote` has them.
    """

    decision_id: str
    reason: str
    expert: FittedExpert
    recipe: Recipe
    validation: Rows
    metrics: dict[str, float]
    replaces: int
    profile: bytes | Artifact
    answered: Rows | bytes | None
    registered: str
    share: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """What serves now, and where the registry holds it."""

    accepted: Accepted
    version: str
    run: str


class Promoter:
    """Parity, then registry, then artifacts, then the announcement. Asked again for a decision, it repeats nothing."""

    def __init__(self, pipeline: Pipeline, announcer: Announcer, registry: Registry) -> None:
        self._pipeline = pipeline
        self._announcer = announcer
        self._registry = registry

    def promote(self, promotion: Promotion) -> Promoted:
        """Make an expert the champion, or a canary.

        Raises:
            ParityError: when the ONNX file does not answer like the expert.
            LostSlot: when another announcement took the slot.
        """
        watch = _Stopwatch()
        onnx = export(promotion.expert)
        parity = check_parity(onnx, promotion.expert, promotion.validation, self._pipeline.gate.parity)
        watch.lap("export")
        registered = self._registry.register(self._registration(promotion, onnx, parity))
        watch.lap("registry")
        accepted = self._announcer.announced(promotion.decision_id)
        if accepted is None:
            profile = promotion.profile
            stored = profile if isinstance(profile, Artifact) else self._announcer.store(profile)
            model = self._announcer.store(onnx)
            parts = Parts(model, stored, self._predictions(onnx, promotion.answered))
            accepted = self._announcer.announce(promotion.replaces, registered.version, parts, promotion.reason,
                                                promotion.decision_id, promotion.share or None)
        watch.lap("announcement")
        log.info("model announced", decision_id=promotion.decision_id, version=registered.version,
                 epoch=accepted.epoch, family=promotion.recipe.family, window=promotion.recipe.window,
                 parity=parity, bytes=len(onnx), **watch.laps)
        return Promoted(accepted=accepted, version=registered.version, run=registered.run)

    def withdraw(self, replaces: int, reason: str, decision_id: str) -> Accepted:
        """Announce that the canary of epoch `replaces` ends."""
        accepted = self._announcer.announced(decision_id)
        if accepted is not None:
            return accepted
        canary = self._announcer.models().find(replaces)
        assert canary is not None  # noqa: S101 - replaces is the epoch of an accepted announcement
        ended = canary.announcement
        parts = Parts(ended.model, ended.profile, ended.predictions)
        return self._announcer.announce(replaces, ended.version, parts, reason, decision_id, 0.0)

    def renew_profile(self, profile: bytes, answered: Rows, replaces: int, decision_id: str) -> Accepted:
        """Announce the serving model again, with another reference profile, and another of what it says."""
        accepted = self._announcer.announced(decision_id)
        if accepted is not None:
            return accepted
        serving = self._announcer.models().find(replaces)
        assert serving is not None  # noqa: S101 - replaces is the epoch of an accepted announcement
        model = serving.announcement.model
        predictions = self._predictions(self._announcer.load(model), answered)
        parts = Parts(model, self._announcer.store(profile), predictions)
        return self._announcer.announce(replaces, serving.announcement.version, parts, "profile", decision_id)

    def _predictions(self, onnx: bytes, answered: Rows | bytes | None) -> Artifact | None:
        reference = prediction_reference(self._pipeline, onnx, answered)
        return None if reference is None else self._announcer.store(reference)

    def _registration(self, promotion: Promotion, onnx: bytes, parity: float) -> Registration:
        recipe = promotion.recipe
        return Registration(
            model_name=self._pipeline.name, decision_id=promotion.registered, onnx=onnx,
            alias=CHALLENGER if promotion.share else CHAMPION,
            params={
                "family": recipe.family, "window": str(recipe.window), "seed": str(recipe.seed),
                "dataset_first": str(recipe.dataset.first), "dataset_last": str(recipe.dataset.last),
                "dataset_rows": str(recipe.dataset.rows), "dataset_digest": recipe.dataset.digest,
                "pipeline_digest": self._pipeline.digest, "reason": promotion.reason,
            },
            metrics={**promotion.metrics, "parity": parity},
        )


class _Stopwatch:
    """Seconds of each step, for the log."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[f"{name}_s"] = round(now - self._since, 3)
        self._since = now
