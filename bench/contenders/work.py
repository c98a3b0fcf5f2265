"""The work, the same for every contender: JSON event in, ONNX model, JSON prediction out with the fields that ours has.

Needs msgspec, numpy and onnxruntime alone: Quix Streams runs in an environment of its own.
"""

import sys
import time
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from msgspec import UNSET, Struct

from schemas.messages import Model, Prediction

EVENT_FIELDS: list[Any] = [("event_id", str), ("ts", int), ("entity", str)]
_PredictionRow = msgspec.defstruct("PredictionRow", Prediction.__struct_fields__, gc=False)  # fields by position


class Task(Struct, frozen=True, kw_only=True):
    """What a contender is told; `workers` of the same group share the partitions."""

    bootstrap_servers: str
    events: str
    predictions: str
    group: str
    model: str  # path of the ONNX file
    digest: str
    features: list[str]
    classes: list[str]
    state: str  # directory for what a framework must keep

    @classmethod
    def read(cls) -> "Task":
        """The task of this process: its last argument."""
        return msgspec.json.decode(sys.argv[-1], type=cls)


class Work:
    """Decoding, scoring and encoding for one task."""

    def __init__(self, task: Task) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(Path(task.model).read_bytes(), options,
                                                     providers=["CPUExecutionProvider"])
        features = msgspec.defstruct("Features", [(name, float) for name in task.features], frozen=True, gc=False)
        event = msgspec.defstruct("Event", [*EVENT_FIELDS, ("features", features)], frozen=True, gc=False)
        self.decode = msgspec.json.Decoder(event).decode
        self.encode_lines = msgspec.json.Encoder().encode_lines
        self.names = task.features
        self._classes = task.classes
        self._model = Model(version="1", digest=task.digest, epoch=0)
        self._digest = task.digest

    def batch(self, values: list[bytes], sources: list[str]) -> list[bytes]:
        """Predictions of events, one ONNX run for all; whole columns at a time, as our own worker does it."""
        events: list[Any] = list(map(self.decode, values))
        features = [msgspec.structs.astuple(event.features) for event in events]
        labels, scores, probabilities = self._answers(features)
        now, day = time.time_ns() // 1_000_000, datetime.now(UTC).date().isoformat()
        rows = map(
            _PredictionRow, repeat(1), [e.event_id for e in events], [e.entity for e in events],
            [e.ts for e in events], sources, repeat(day), repeat(self._digest), repeat(self._model), labels, scores,
            probabilities, features, repeat(now), repeat(UNSET))
        return self.encode_lines(list(rows)).splitlines()

    def one(self, value: bytes, source: str) -> bytes:
        """Prediction of one event."""
        return self.batch([value], [source])[0]

    def fields(self, event: dict[str, Any], source: str) -> dict[str, Any]:
        """Prediction of one decoded event as a dict, for a framework that encodes by itself."""
        row = [event["features"][name] for name in self.names]
        labels, scores, probabilities = self._answers([row])
        return {
            "v": 1, "event_id": event["event_id"], "entity": event["entity"], "ts": event["ts"], "source": source,
            "source_day": datetime.now(UTC).date().isoformat(), "pipeline_digest": self._digest,
            "model": {"version": "1", "digest": self._digest, "epoch": 0}, "prediction": labels[0],
            "score": scores[0], "probabilities": probabilities[0], "features": row,
            "scored_at": time.time_ns() // 1_000_000,
        }

    def _answers(self, rows: list[Any]) -> tuple[list[str], list[float], list[list[float]]]:
        outputs = self._session.run(["probabilities"], {"x": np.array(rows, dtype=np.float32)})
        probabilities = np.asarray(outputs[0], dtype=np.float64).round(7)
        labels = [self._classes[k] for k in probabilities.argmax(axis=1).tolist()]
        return labels, probabilities[:, 1].tolist(), probabilities.tolist()
