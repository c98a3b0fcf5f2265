"""Shapley values of an answer, by sampling permutations; worked out in a child process: this module as a program.

In a process of its own: it needs seconds and 300 MB to begin with, and Python's lock all the while. It ends when its
parent does.
"""

import os
import struct
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, BinaryIO

import msgspec
import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from schemas.codec import FeatureMatrix
from schemas.messages import FeatureValue
from schemas.model_file import METADATA_KEY, ModelMetadata
from stream_apps.model_slot import run_session

PERMUTATIONS = 10  # each is walked in both directions: two features that matter together are then exact
SEED = 0  # the same question has the same explanation
LATE = "the time for explanations ran out"
NO_BACKGROUND = "the model has no background rows: whoever made it kept none"
MASKS = 10  # asked of the model at once, each with every background row
FRAME = struct.Struct(">I")


class Task(Struct, frozen=True, array_like=True):
    """What is explained: of a row (features in the model's order) the output, a class's place or 0 for a regression.
    `seconds`: how long it may take."""

    onnx: bytes
    row: list[FeatureValue]
    output: int
    seconds: float


class Explanation(Struct, frozen=True, kw_only=True):
    """`base`: the model's mean answer to the `background` rows; with the values of all features it adds up to the
    score."""

    base: float
    values: dict[str, float]
    background: int


class Finished(Struct, frozen=True, array_like=True):
    """What came of a task: an explanation, or why there is none."""

    explanation: Explanation | None = None
    reason: str = ""


class OutOfTime(Exception):
    """The explanation takes too long. Retriable, with more time."""


class Explained:
    """A model as its explainer needs it."""

    def __init__(self, onnx: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.metadata = ModelMetadata.from_json(self._session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        self.background = self.matrix(self.metadata.background)

    def matrix(self, rows: Any) -> NDArray[np.float32]:
        """Model input, (rows, features)."""
        features = FeatureMatrix(self.metadata.features)
        return features.join(*features.split(rows), self.metadata.codes())

    def answer(self, matrix: NDArray[np.float32], output: int) -> NDArray[np.float64]:
        """One output, (rows,)."""
        outputs = run_session(self._session, self.metadata, np.ascontiguousarray(matrix, dtype=np.float32))
        return outputs.reshape(len(matrix), -1)[:, output]


def explain(model: Explained, row: list[FeatureValue], output: int, deadline: float,
            clock: Callable[[], float] = time.monotonic) -> Explanation:
    """What each feature adds to an answer, against the model's background rows (at least one).

    Raises:
        OutOfTime: when `clock` passes `deadline`.
    """
    def answer(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        if clock() > deadline:
            raise OutOfTime
        return model.answer(matrix, output)

    explainer = _explainer(answer, model.background)
    found = explainer(model.matrix([row]), max_evals=PERMUTATIONS * (2 * len(row) + 1), batch_size=MASKS, silent=True)
    values = np.asarray(found.values, dtype=np.float64).reshape(-1)
    base = float(np.asarray(found.base_values, dtype=np.float64).reshape(-1)[0])
    return Explanation(base=base, background=len(model.background), values={
        feature.name: float(value) for feature, value in zip(model.metadata.features, values, strict=True)})


def finish(task: Task) -> Finished:
    """Carry a task out."""
    deadline = time.monotonic() + task.seconds
    model = _opened(task.onnx)
    if not len(model.background):
        return Finished(None, NO_BACKGROUND)
    try:
        return Finished(explain(model, task.row, task.output, deadline))
    except OutOfTime:
        return Finished(None, LATE)


_opened = lru_cache(2)(Explained)  # champion and canary


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next message of a pipe; None at its end."""
    head = stream.read(FRAME.size)
    return stream.read(FRAME.unpack(head)[0]) if len(head) == FRAME.size else None


def framed(message: Struct) -> bytes:
    """A message as it goes through the pipe."""
    data = msgspec.msgpack.encode(message)
    return FRAME.pack(len(data)) + data


def main() -> None:
    """Finish tasks from stdin, one after the other, until it is closed. The first word says that all is loaded."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    _explainer(lambda matrix: matrix.sum(axis=1), rows)(rows[:1], silent=True)  # everything is loaded before it counts
    _say(out, Finished())
    while (data := read_frame(sys.stdin.buffer)) is not None:
        _say(out, finish(msgspec.msgpack.decode(data, type=Task)))


def _explainer(answer: Callable[[NDArray[np.float32]], NDArray[Any]], background: NDArray[np.float32]) -> Any:
    # numba would compile shap's small loops for longer, and into more memory, than they ever take.
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    from shap import PermutationExplainer  # noqa: PLC0415  (seconds)
    from shap.maskers import Independent  # noqa: PLC0415

    return PermutationExplainer(answer, Independent(background, max_samples=len(background)), seed=SEED)


def _say(out: BinaryIO, word: Finished) -> None:
    out.write(framed(word))
    out.flush()


if __name__ == "__main__":
    main()
