"""Every prediction again, offline, with the model that it names."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from automl_stream.verify.artifacts import BadArtifact, Shelf
from automl_stream.verify.deliveries import Row
from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Reading
from schemas.codec import FeatureMatrix
from schemas.messages import Prediction
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS

SCORES = "scores"
TOLERANCE = 1e-5
BATCH_ROWS = 4_096
SEED = 0

Scored = tuple[Prediction, Row]


@dataclass(frozen=True, kw_only=True)
class Rescorer:
    """A model from verified bytes."""

    metadata: ModelMetadata
    session: onnxruntime.InferenceSession
    matrix: FeatureMatrix

    @classmethod
    def load(cls, data: bytes, pipeline: Pipeline) -> "Rescorer":
        """The model of an ONNX file. Raises whatever onnxruntime and msgspec do where it is none."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        metadata = ModelMetadata.from_json(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        return cls(metadata=metadata, session=session, matrix=FeatureMatrix(pipeline.features))

    def run(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """Probabilities (rows, classes), or values (rows, 1) for regression."""
        numbers, discrete = self.matrix.split([row.features for row in rows])
        matrix = self.matrix.join(numbers, discrete, self.metadata.codes())
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: matrix})
        values = outputs[0 if self.metadata.task == "regression" else 1]
        return np.asarray(values, dtype=np.float64).reshape(len(rows), -1)

    def objection(self, prediction: Prediction, values: list[float]) -> str | None:
        """What the recomputed `values` say against a prediction; between equal classes either may have won."""
        if self.metadata.task == "regression":
            fits = prediction.prediction == prediction.score and _close(values, [prediction.score])
            return None if fits else f"{values[0]!r}"
        classes = self.metadata.classes
        chosen = classes.index(prediction.prediction) if prediction.prediction in classes else None
        if chosen is None or values[chosen] < max(values) - TOLERANCE:
            return f"label {classes[int(np.argmax(values))]!r}"
        score = values[1] if self.metadata.task == "binary" else values[chosen]
        if not _close([score], [prediction.score]) or not _close(values, prediction.probabilities):
            return f"score {score!r}, probabilities {values}"
        return None


def check_scores(reading: Reading, seen: Seen, sample: int | None = None) -> Iterator[Difference]:
    """The epoch was accepted, version and digest are its announcement's, and rescoring agrees within 1e-5.

    `sample`: rescore only so many predictions, drawn with a fixed seed.
    """
    shelf = Shelf.of(reading.recording.log(MODEL_ARTIFACTS))
    for epoch, scored in sorted(_by_epoch(reading, sample).items()):
        accepted = reading.models.find(epoch)
        if accepted is None:
            seen.count += len(scored)
            yield from (_difference(p, "an epoch of an accepted announcement", f"epoch {epoch}") for p, _ in scored)
            continue
        announced = (accepted.announcement.version, accepted.announcement.model.digest)
        yield from (_difference(p, f"version and digest of epoch {epoch}: {announced}",
                                shown((p.model.version, p.model.digest)))
                    for p, _ in scored if (p.model.version, p.model.digest) != announced)
        try:
            model = Rescorer.load(shelf.bytes_of(accepted.announcement.model), reading.recording.pipeline)
        except BadArtifact as error:
            seen.notes.append(f"{len(scored)} predictions of epoch {epoch} cannot be rescored: {error}")
            continue
        except Exception as error:  # noqa: BLE001 - onnxruntime raises many unrelated types
            yield Difference(check=SCORES, where=f"model-updates 0/{epoch}", expected="an ONNX model of ours",
                             found=str(error))
            continue
        seen.count += len(scored)
        yield from _rescore(model, scored)


def _by_epoch(reading: Reading, sample: int | None) -> dict[int, list[Scored]]:
    everything = [
        (entry.message, delivery.content)
        for source, entries in reading.predictions.items()
        if (delivery := reading.deliveries.get(source)) is not None and isinstance(delivery.content, Row)
        for entry in entries
    ]
    if sample is not None and sample < len(everything):
        everything = random.Random(SEED).sample(everything, sample)  # noqa: S311 - repeatable, not secret
    found: dict[int, list[Scored]] = {}
    for prediction, row in everything:
        found.setdefault(prediction.model.epoch, []).append((prediction, row))
    return found


def _rescore(model: Rescorer, scored: list[Scored]) -> Iterator[Difference]:
    for start in range(0, len(scored), BATCH_ROWS):
        batch = scored[start : start + BATCH_ROWS]
        values: list[list[float]] = model.run([row for _, row in batch]).tolist()
        for (prediction, _), row in zip(batch, values, strict=True):
            wanted = model.objection(prediction, row)
            if wanted is not None:
                yield _difference(prediction, f"epoch {prediction.model.epoch} gives {wanted}", shown(
                    (prediction.prediction, prediction.score, prediction.probabilities)))


def _close(expected: Sequence[float], found: Sequence[float] | None) -> bool:
    if found is None or len(found) != len(expected):
        return False
    return all(abs(a - b) <= TOLERANCE * max(1.0, abs(a)) for a, b in zip(expected, found, strict=True))


def _difference(prediction: Prediction, expected: str, found: Any) -> Difference:
    return Difference(check=SCORES, where=prediction.source, expected=expected, found=found)
