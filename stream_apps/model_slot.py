"""The model that scores: an ONNX session with what its file says about itself, and the reference profile beside it."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from drift.counts import CellCounter
from drift.profile import ReferenceProfile
from schemas.messages import Model
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.model_log import Accepted
from schemas.pipeline import Pipeline
from stream_apps.windows import CellLayout


class UnusableModel(Exception):
    """The announced model cannot serve this pipeline; the one before it serves on. Not retriable."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A verified model, ready to score."""

    model: Model
    metadata: ModelMetadata
    codes: list[dict[Any, int]]
    session: onnxruntime.InferenceSession
    counter: CellCounter
    layout: CellLayout

    def run(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities (rows, classes), or values (rows,) for regression."""
        return run_session(self.session, self.metadata, matrix)


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
        raise UnusableModel(f"the ONNX file has no '{METADATA_KEY}' metadata: it was not made by this trainer") from error
    except (msgspec.DecodeError, Exception) as error:  # onnxruntime raises many unrelated types
        raise UnusableModel(f"the bytes are no ONNX model that can be loaded: {error}") from error
    _check_fit(metadata, pipeline)
    width = session.get_inputs()[0].shape[-1]
    if width != len(metadata.features):
        raise UnusableModel(f"the model takes {width} inputs, its metadata names {len(metadata.features)}")
    try:
        session.run(None, {session.get_inputs()[0].name: np.zeros((1, width), dtype=np.float32)})
    except Exception as error:
        raise UnusableModel(f"the model fails on a row of zeros: {error}") from error
    return session, metadata


def run_session(session: onnxruntime.InferenceSession, metadata: ModelMetadata,
                matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities (rows, classes), or values (rows,) for regression, of a matrix (rows, features)."""
    outputs = session.run(None, {session.get_inputs()[0].name: matrix})
    if metadata.task == "regression":
        return np.asarray(outputs[0], dtype=np.float64).reshape(len(matrix))
    return np.asarray(outputs[1], dtype=np.float64).reshape(len(matrix), len(metadata.classes))


def load_model(accepted: Accepted, model: bytes, profile: bytes, pipeline: Pipeline) -> LoadedModel:
    """Everything that scoring needs, from verified bytes.

    Raises:
        UnusableModel: as for `open_session`.
    """
    session, metadata = open_session(model, pipeline)
    reference = ReferenceProfile.decode(profile)
    announcement = accepted.announcement
    return LoadedModel(
        model=Model(version=announcement.version, digest=announcement.model.digest, epoch=accepted.epoch),
        metadata=metadata, codes=metadata.codes(), session=session, counter=CellCounter(reference),
        layout=CellLayout(profile=announcement.profile.digest, profile_epoch=accepted.profile_epoch,
                          size=reference.size),
    )


def _check_fit(metadata: ModelMetadata, pipeline: Pipeline) -> None:
    if metadata.task != pipeline.task:
        raise UnusableModel(f"the model is for {metadata.task}, pipeline '{pipeline.name}' is {pipeline.task}")
    made_for = [(f.name, f.type) for f in metadata.features]
    needed = [(f.name, f.type) for f in pipeline.features]
    if made_for != needed:
        odd = next((pair for pair in zip(made_for, needed, strict=False) if pair[0] != pair[1]),
                   (f"{len(made_for)} features", f"{len(needed)} features"))
        raise UnusableModel(f"the model does not fit pipeline '{pipeline.name}': it has {odd[0]} where the pipeline "
                            f"has {odd[1]}; train it for this definition")
