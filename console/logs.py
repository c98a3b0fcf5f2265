"""Logs whose order decides, folded as every service folds them: which models were accepted, which definition is in
force. What has been read is kept; a page reads only what is new."""

import threading
from typing import TypeVar

from msgspec import Struct

from console.store import Reading
from schemas.configuration import ConfigurationLog
from schemas.model_log import ModelLog
from schemas.topics import CONFIG, MODEL_UPDATES, Topic

LogT = TypeVar("LogT", ModelLog, ConfigurationLog)


class Fold(Struct):
    """A log and the position of the first record that it has not seen."""

    log: ModelLog | ConfigurationLog
    position: int = 0


class Logs:
    """Folds of all pipelines."""

    def __init__(self) -> None:
        self._folds: dict[tuple[str, str], Fold] = {}
        self._lock = threading.Lock()

    def models(self, reading: Reading) -> ModelLog:
        """Every accepted announcement that is stored."""
        return self._folded(reading, MODEL_UPDATES, ModelLog())

    def versions(self, reading: Reading) -> ConfigurationLog:
        """Every accepted version of the definition that is stored."""
        return self._folded(reading, CONFIG, ConfigurationLog(name=reading.pipeline))

    def _folded(self, reading: Reading, topic: Topic, empty: LogT) -> LogT:
        with self._lock:
            fold = self._folds.setdefault((reading.pipeline, topic.name), Fold(log=empty))
            log: LogT = fold.log  # type: ignore[assignment]  # made with `empty`
            for record in reading.since(topic, fold.position):
                log.read(record.position, record.value)
                fold.position = record.position + 1
            return log
