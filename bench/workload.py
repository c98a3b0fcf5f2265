"""What is scored: seeded events of F numbers, and a LightGBM model of 100 trees in ONNX with its reference profile."""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec
import numpy as np
from lightgbm import LGBMClassifier
from numpy.typing import NDArray

from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from trainer.candidates import FittedExpert
from trainer.history import Rows
from trainer.onnx_export import check_parity, export
from trainer.reference import prediction_reference, reference_profile
from trainer.thresholds import round_thresholds

TREES = 100
TRAINING_ROWS = 20_000
FRESH_ROWS = 1_000
CLASSES = ("no", "yes")
ENTITIES = 1_000
START_MS = 1_767_225_600_000  # 2026-01-01: in the past, so that no event is from the future

DEFINITION = """
[pipeline]
name = "{name}"
task = "binary"
partitions = {partitions}
[windows]
size = "10s"
lateness = "2s"
idle_after = "1h"
{features}
"""


def definition(name: str, features: int, partitions: int) -> str:
    """Text of a pipeline file: number features f0, f1, ...; windows of 10 s."""
    tables = "\n".join(f'[[features]]\nname = "f{j}"\ntype = "number"' for j in range(features))
    return DEFINITION.format(name=name, partitions=partitions, features=tables)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """Bytes that a score worker loads: the ONNX file, the reference profile, the reference of its predictions; and the
    fitted classifier itself."""

    onnx: bytes
    profile: bytes
    predictions: bytes | None
    fitted: LGBMClassifier

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the ONNX file."""
        return sha256(self.onnx).hexdigest()


def train(pipeline: Pipeline, seed: int = 0) -> TrainedModel:
    """100 trees fitted on 20,000 seeded rows, one thread; other seeds give other models of equal cost."""
    numbers = _numbers(TRAINING_ROWS, len(pipeline.features), seed)
    noisy = numbers.sum(axis=1) + np.random.default_rng(seed + 1).normal(0, 1, TRAINING_ROWS)
    labels = (noisy > 0).astype(int)
    rows = Rows(ts=np.arange(TRAINING_ROWS) + START_MS, numbers=numbers, discrete=[],
                labels=[CLASSES[label] for label in labels])
    metadata = ModelMetadata(task="binary", features=pipeline.features, categories={}, classes=CLASSES)
    model = LGBMClassifier(n_estimators=TREES, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True,
                           verbose=-1)
    expert = FittedExpert(model, metadata, known=[0, 1])
    model.fit(expert.matrix(rows), labels)
    round_thresholds(model)
    data = export(expert)
    check_parity(data, expert, rows.part(0, 1_000), pipeline.gate.parity)
    fresh = Rows(ts=np.arange(FRESH_ROWS) + START_MS, numbers=_numbers(FRESH_ROWS, len(pipeline.features), seed + 2),
                 discrete=[], labels=[CLASSES[0]] * FRESH_ROWS)
    return TrainedModel(onnx=data, profile=reference_profile(pipeline, rows).encode(),
                        predictions=prediction_reference(pipeline, data, fresh), fitted=model)


def events(features: int, count: int, *, seed: int = 0, padding: int = 0,
           start_ms: int = START_MS, spacing_ms: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """(key, JSON) of seeded events: one of 1,000 entities each, event time `spacing_ms` apart.

    Args:
        features: Number of features.
        count: Number of events.
        seed: Same seed, same bytes; event ids are "<seed>-<number>".
        padding: Bytes added to each event in a field that every reader ignores.
        start_ms: Event time of the first, in epoch milliseconds.
        spacing_ms: From event to event.
    """
    encode = msgspec.json.Encoder().encode
    names = [f"f{j}" for j in range(features)]
    entities = [f"entity-{k}" for k in range(ENTITIES)]
    chosen = np.random.default_rng(seed + 2).integers(0, ENTITIES, count).tolist()
    filler = {"note": (string.ascii_lowercase * (padding // 26 + 1))[:padding]} if padding else {}
    block = 10_000
    for first in range(0, count, block):
        rows = _numbers(min(block, count - first), features, seed + 3 + first).round(5).tolist()
        for i, row in enumerate(rows, first):
            yield entities[chosen[i]].encode(), encode({
                "v": 1, "event_id": f"{seed}-{i}", "ts": start_ms + i * spacing_ms, "entity": entities[chosen[i]],
                "features": dict(zip(names, row, strict=True)), **filler})


def numbers_of(encoded: Sequence[tuple[bytes, bytes]], features: int) -> NDArray[np.float32]:
    """Model input (events, features) of encoded events."""
    decode = msgspec.json.Decoder(_Event).decode
    matrix = np.empty((len(encoded), features), dtype=np.float32)
    for row, (_, value) in enumerate(encoded):
        matrix[row] = list(decode(value).features.values())
    return matrix


class _Event(msgspec.Struct):
    features: dict[str, float]


def _numbers(count: int, features: int, seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 1, (count, features))
