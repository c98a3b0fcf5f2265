"""Whose predictions a closed window is judged by: the newest champion's that answered some of its rows."""

from collections.abc import Awaitable, Callable

from drift.predictions import decode_predictions
from schemas.model_log import ModelLog
from schemas.pipeline import Task
from stream_apps.artifacts import ArtifactReader
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import Predictions


class WatchedPredictions:
    """Finds the reference by what the window itself says, so that a replay finds the same.

    `read_models` gives every announcement up to now. Of the epochs seen so far the newest champion's reference is kept.
    """

    def __init__(self, task: Task, artifacts: ArtifactReader, read_models: Callable[[], Awaitable[ModelLog]]) -> None:
        self._task: Task = task
        self._artifacts = artifacts
        self._read_models = read_models
        self._canaries: set[int] = set()
        self._newest: Predictions | None = None

    async def of(self, window: ClosedWindow) -> Predictions | None:
        """The reference to judge the window's predictions by; None where no champion's were counted."""
        for epoch in sorted(window.predictions.keys() - self._canaries, reverse=True):
            if self._newest is not None and self._newest.epoch == epoch:
                return self._newest
            announced = next((a.announcement.predictions for a in (await self._read_models()).accepted
                              if a.epoch == epoch), None)
            if announced is not None:
                reference = decode_predictions(await self._artifacts.read(announced), self._task)
                self._newest = Predictions(epoch=epoch, reference=reference)
                return self._newest
            self._canaries.add(epoch)
        return None
