"""FastAPI with the fitted model itself, through scikit-learn, as tutorials have it: pydantic, predict_proba, no Kafka.

Run: python -m bench.contenders.predict_fastapi PORT PICKLE
"""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from bench.workload import CLASSES


class Event(BaseModel):
    event_id: str
    ts: int
    entity: str
    features: dict[str, float]


class Answer(BaseModel):
    event_id: str
    prediction: str
    score: float
    probabilities: list[float]


def make_app(model: Any) -> FastAPI:
    """Both routes over one model."""
    app = FastAPI()

    def answers(events: list[Event]) -> list[Answer]:
        rows = model.predict_proba(np.array([list(event.features.values()) for event in events])).tolist()
        return [Answer(event_id=event.event_id, prediction=CLASSES[int(row[1] > row[0])], score=row[1],
                       probabilities=row) for event, row in zip(events, rows, strict=True)]

    @app.post("/predict")
    async def one(event: Event) -> Answer:
        return answers([event])[0]

    @app.post("/predict/batch")
    async def many(events: list[Event]) -> list[Answer]:
        return answers(events)

    return app


def main() -> None:
    """Serve until killed."""
    model = pickle.loads(Path(sys.argv[2]).read_bytes())  # noqa: S301 - the bench has just written it
    uvicorn.run(make_app(model), port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop",
                http="httptools")


if __name__ == "__main__":
    main()
