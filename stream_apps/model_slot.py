"""The model that scores: an ONNX session with what its file says about itself, and the reference profile beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from drift.counts import CellCounter
from drift.errors import ProfileError
from drift.predictions import PredictionCounter, decode_predictions
from drift.profile import ReferenceProfile
from schemas.messages import Model
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline
from stream_apps.windows import CellLayout, ModelCells


class UnusableModel(Exception):
    """The announced model cannot serve this pipeline; the one before it serves on. Not retriable."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A verified model, ready to score, with the files it was made from. `predictions`: None where they are not
    counted."""

    accepted: Accepted
    onnx: bytes
    profile: bytes
    model: Model
    metadata: ModelMetadata
    codes: list[dict[Any, int]]
    session: onnxruntime.InferenceSession
    counter: CellCounter
    predictions: PredictionCounter | None
    layout: CellLayout

    @property
    def prediction_cells(self) -> int:
        """How many cells the reference of its predictions has."""
        return 0 if self.predictions is None else self.predictions.size

    def run(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (rows, classes), or values (rows,) for regression."""
        return run_session(self.session, self.metadata, matrix)


@dataclass(frozen=True, kw_only=True)
class Slots:
    """The models in charge after the announcement `epoch`: the canary scores a share of the entities."""

    epoch: int
    champion: LoadedModel
    canary: LoadedModel | None = None
    share: float = 0.0

    @property
    def layout(self) -> CellLayout:
        """All rows count under the champion's profile, predictions under the reference of the model that made them."""
        layout = self.champion.layout
        canary = () if self.canary is None else self.canary.layout.models
        return replace(layout, models=(*layout.models, *canary)) if canary else layout

    def canary_rows(self, keys: Sequence[bytes | None]) -> NDArray[np.bool_]:
        """Which rows are the canary's, by a hash of the record's key that has nothing to do with its partition."""
        hashes = np.fromiter((crc32(key or b"") for key in keys), dtype=np.int64, count=len(keys))
        return hashes < self.share * 2**32


def open_session(data: bytes, pipeline: Pipeline) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    """ONNX session of one thread, checked against the pipeline's features and task, and tried on one row.

    Raises:
        UnusableModel: when the bytes are no ONNX model of ours or the model does not fit.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
        metadata = ModelMetadata.from_json(text)
    except KeyError as error:
        raise UnusableModel(f"the ONNX file has no '{METADATA_KEY}' metadata: this trainer did not make it") from error
    except msgspec.DecodeError as error:
        raise UnusableModel(f"the ONNX file's '{METADATA_KEY}' metadata does not read: {error}") from error
    except Exception as error:  # onnxruntime raises many unrelated types
        raise UnusableModel(f"the bytes are no ONNX model that can be loaded: {error}") from error
    _check_fit(metadata, pipeline)
    _try(session, metadata)
    return session, metadata


def run_session(session: onnxruntime.InferenceSession, metadata: ModelMetadata,
                matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities (rows, classes), or values (rows,) for regression, of a matrix (rows, features)."""
    # A row alone takes another way through a linear model than the same row among others, and its last bits differ: a
    # replay cuts other chunks, and must give the same answers.
    rows = len(matrix)
    asked = matrix if rows > 1 else np.repeat(matrix, 2, axis=0)
    outputs = session.run(None, {session.get_inputs()[0].name: asked})
    if metadata.task == "regression":
        return np.asarray(outputs[0], dtype=np.float64).reshape(len(asked))[:rows]
    return np.asarray(outputs[1], dtype=np.float64).reshape(len(asked), len(metadata.classes))[:rows]


def load_model(accepted: Accepted, model: bytes, profile: bytes, pipeline: Pipeline,
               predictions: bytes | None = None) -> LoadedModel:
    """Everything that scoring needs, from verified bytes; `predictions`: those of the reference, where there is one.

    Raises:
        UnusableModel: as for `open_session`.
    """
    session, metadata = open_session(model, pipeline)
    reference = _read_profile(profile, metadata)
    counter = None if predictions is None else _read_predictions(predictions, metadata)
    announcement = accepted.announcement
    return LoadedModel(
        accepted=accepted, onnx=model, profile=profile,
        model=Model(version=announcement.version, digest=announcement.model.digest, epoch=accepted.epoch),
        metadata=metadata, codes=metadata.codes(), session=session, counter=CellCounter(reference),
        predictions=counter,
        layout=CellLayout(profile=announcement.profile.digest, profile_epoch=accepted.profile_epoch,
                          size=reference.size,
                          models=() if counter is None else (ModelCells(accepted.epoch, counter.size),)),
    )


def _try(session: onnxruntime.InferenceSession, metadata: ModelMetadata) -> None:
    """Two rows of zeros must come back as finite answers of the announced shape."""
    shapes = [tuple(i.shape) for i in session.get_inputs()]
    width = len(metadata.features)
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] != width:  # noqa: PLR2004 - rows, features
        raise UnusableModel(f"the model takes {shapes}; one input of (rows, {width}) is needed, as its metadata names "
                            f"{width} features")
    try:
        answers = run_session(session, metadata, np.zeros((2, width), dtype=np.float32))
    except Exception as error:  # onnxruntime raises many unrelated types
        raise UnusableModel(f"the model fails on rows of zeros: {error}") from error
    if not np.isfinite(answers).all():
        raise UnusableModel("the model answers rows of zeros with numbers that are not finite")


def _read_profile(data: bytes, metadata: ModelMetadata) -> ReferenceProfile:
    try:
        profile = ReferenceProfile.decode(data)
    except ProfileError as error:
        raise UnusableModel(f"the reference profile cannot be read: {error}") from error
    described = [(f.name, f.kind) for f in profile.features]
    if described != [(f.name, f.type) for f in metadata.features]:
        raise UnusableModel(f"the reference profile describes {described}, which are not the model's features")
    return profile


def _read_predictions(data: bytes, metadata: ModelMetadata) -> PredictionCounter:
    try:
        return PredictionCounter(decode_predictions(data, metadata.task), metadata.task)
    except ProfileError as error:
        raise UnusableModel(f"the reference of the model's predictions cannot be read: {error}") from error


def _check_fit(metadata: ModelMetadata, pipeline: Pipeline) -> None:
    without = [f.name for f in metadata.features if f.type == "category" and f.name not in metadata.categories]
    if without:
        raise UnusableModel(f"the model's metadata has no categories for {', '.join(without)}")
    known = len(metadata.classes)
    if (metadata.task == "binary" and known != 2) or (metadata.task == "multiclass" and known < 2):  # noqa: PLR2004
        raise UnusableModel(f"the model is {metadata.task}, but its metadata names {known} classes")
    if metadata.task != pipeline.task:
        raise UnusableModel(f"the model is for {metadata.task}, pipeline '{pipeline.name}' is {pipeline.task}")
    made_for = [(f.name, f.type) for f in metadata.features]
    needed = [(f.name, f.type) for f in pipeline.features]
    if made_for != needed:
        odd = next((pair for pair in zip(made_for, needed, strict=False) if pair[0] != pair[1]),
                   (f"{len(made_for)} features", f"{len(needed)} features"))
        raise UnusableModel(f"the model does not fit pipeline '{pipeline.name}': it has {odd[0]} where the pipeline "
                            f"has {odd[1]}; train it for this definition")
