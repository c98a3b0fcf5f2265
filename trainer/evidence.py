"""What a person wants to see of a registered model: is it calibrated, did its rows drift, which features matter. Pure.

Everything comes from the ONNX file that was announced, the profile that it was announced with and rows of `labelled`:
it can be made again at any time.
"""

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from drift.counts import CellCounter
from drift.predictions import said
from drift.profile import ReferenceProfile
from drift.shown import ShownStatistics
from schemas.codec import FeatureMatrix
from schemas.model_file import ModelMetadata
from trainer.history import Rows
from trainer.onnx_export import read_metadata, run
from trainer.shapley import shapley_values

BINS = 10
MAX_PAIRS = 1_000
_EXPLAINED = 64  # rows
_ORDERS = 5
_WALK_CELLS = 4_000_000  # numbers that one walk may hold


class Bin(NamedTuple):
    """Rows whose answers lie next to each other: the mean probability said, the share that was so, how many."""

    said: float
    true: float
    rows: int


class Evidence(Struct, frozen=True, kw_only=True):
    """Of one model. `rows`: that its answers were compared on; `unseen`: none of them was fitted on.

    `calibration`: of classes, of the positive class or (multiclass) of the class that was said; `pairs`: of values,
    (said, true). `psi`, `importance` (mean absolute Shapley value of an answer) by feature, in the model's order.
    """

    rows: int
    unseen: bool
    calibration: list[Bin]
    pairs: list[tuple[float, float]]
    psi: dict[str, float]
    importance: dict[str, float]

    @property
    def metrics(self) -> dict[str, float]:
        """The same in two numbers: expected calibration error, and the largest PSI of the rows it was fitted on."""
        total = sum(b.rows for b in self.calibration)
        error = {"calibration_error": sum(abs(b.said - b.true) * b.rows for b in self.calibration) / total} if total \
            else {}
        return error | {"largest_psi": max(self.psi.values(), default=0.0)}


def examine(onnx: bytes, profile: ReferenceProfile, fitted: Rows, fresh: Rows, seed: int) -> Evidence:
    """`fitted`: the newest rows that the model was fitted on, at least one; `fresh`: rows after its fit, may be
    none."""
    metadata = read_metadata(onnx)
    judged = fresh if len(fresh) else fitted
    outputs = run(onnx, _matrix(metadata, judged))
    regression = metadata.task == "regression"
    return Evidence(
        rows=len(judged), unseen=len(fresh) > 0,
        calibration=[] if regression else calibration(metadata, outputs, judged),
        pairs=_pairs(outputs, judged) if regression else [],
        psi=_psi(profile, fitted), importance=_importance(metadata, onnx, _matrix(metadata, fitted), seed),
    )


def calibration(metadata: ModelMetadata, outputs: NDArray[np.float64], rows: Rows) -> list[Bin]:
    """Ten bins of as many rows each, by the probability that was said."""
    labels, scores, _ = said(metadata, outputs)
    wanted = [metadata.classes[-1]] * len(rows) if metadata.task == "binary" else labels
    true = np.array([str(label) == str(want) for label, want in zip(rows.labels, wanted, strict=True)])
    parts = np.array_split(np.argsort(scores, kind="stable"), min(BINS, len(rows)))
    return [Bin(float(scores[part].mean()), float(true[part].mean()), len(part)) for part in parts]


def _pairs(outputs: NDArray[np.float64], rows: Rows) -> list[tuple[float, float]]:
    newest = slice(max(0, len(rows) - MAX_PAIRS), None)
    return list(zip(outputs[newest].tolist(), map(float, rows.labels[newest]), strict=True))


def _psi(profile: ReferenceProfile, rows: Rows) -> dict[str, float]:
    """Corrected population stability index of each feature of the rows, against the profile."""
    counter = CellCounter(profile)
    shown = ShownStatistics(profile).of(counter.count(counter.indices(rows.numbers, rows.discrete)))
    return {feature.name: s.psi or 0.0 for feature, s in zip(profile.features, shown, strict=True)}


def _importance(metadata: ModelMetadata, onnx: bytes, matrix: NDArray[np.float32], seed: int) -> dict[str, float]:
    width = matrix.shape[1]
    count = int(np.clip(_WALK_CELLS // (width * (width + 1)), 8, _EXPLAINED))
    chosen = matrix[np.random.default_rng(seed).choice(len(matrix), min(count, len(matrix)), replace=False)]

    def answer(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        outputs = run(onnx, rows)
        return outputs[:, 1:] if metadata.task == "binary" else outputs.reshape(len(rows), -1)

    sizes = np.abs(shapley_values(answer, chosen, matrix, _ORDERS, seed)).mean(axis=(0, 2))
    return {feature.name: float(size) for feature, size in zip(metadata.features, sizes, strict=True)}


def _matrix(metadata: ModelMetadata, rows: Rows) -> NDArray[np.float32]:
    return FeatureMatrix(metadata.features).join(rows.numbers, rows.discrete, metadata.codes())
