"""A plain Litestar service with the same ONNX file: no Kafka, no tokens, no limits, no OpenAPI document.

Run: python -m bench.contenders.predict_litestar PORT MODEL
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import uvicorn
from litestar import Litestar, post
from msgspec import Struct

from bench.workload import CLASSES


class Event(Struct):
    event_id: str
    ts: int
    entity: str
    features: dict[str, float]


class Answer(Struct):
    event_id: str
    prediction: str
    score: float
    probabilities: list[float]


def make_app(model: Path) -> Litestar:
    """Both routes over one session."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])

    def answers(events: list[Event]) -> list[Answer]:
        matrix = np.array([list(event.features.values()) for event in events], dtype=np.float32)
        outputs: Any = session.run(["probabilities"], {"x": matrix})[0]
        return [Answer(event.event_id, CLASSES[int(row[1] > row[0])], row[1], row)
                for event, row in zip(events, outputs.tolist(), strict=True)]

    @post("/predict", status_code=200)
    async def one(data: Event) -> Answer:
        return answers([data])[0]

    @post("/predict/batch", status_code=200)
    async def many(data: list[Event]) -> list[Answer]:
        return answers(data)

    return Litestar([one, many], openapi_config=None)


def main() -> None:
    """Serve until killed."""
    uvicorn.run(make_app(Path(sys.argv[2])), port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop",
                http="httptools")


if __name__ == "__main__":
    main()
