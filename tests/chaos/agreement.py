"""The prediction API, the stream and the fitted model itself say the same of the same rows.

The API and the stream to the last bit; the original in Python, before it became a file, within the parity that the gate
asks for. Run: python -m tests.chaos.agreement [--full] [--json]
"""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import Prediction, Recipe
from schemas.pipeline import Task
from schemas.topics import PREDICTIONS
from tests.chaos.command import run_alone
from tests.live import differences
from tests.stream_apps.predict.conftest import Asked
from tests.trainer.conftest import DEFINITION, labelled_row
from trainer.candidates import FittedExpert, fit
from trainer.history import History, Rows
from trainer.onnx_export import export
from trainer.reference import reference_profile

FITTED, BATCH = 2_000, 1_000
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")
SAID = ("event_id", "source", "prediction", "score", "probabilities")


class Figures(Struct, frozen=True, kw_only=True):
    """`rows` of all `tasks` together; `furthest`: of an answer from the original's, relative where it is a value."""

    tasks: tuple[str, ...]
    rows: int
    same_in_api_and_stream: int
    furthest: float


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Ask and stream rows of every task.

    Raises:
        AssertionError: where two of the three differ.
    """
    tasks, rows = (TASKS, 100_000) if full else (TASKS[:1], 3_000)
    parts = [_play(kafka, directory, task, 1 + rows // len(tasks)) for task in tasks]
    return Figures(tasks=tasks, rows=sum(same for same, _ in parts), same_in_api_and_stream=sum(s for s, _ in parts),
                   furthest=max(furthest for _, furthest in parts))


def _play(kafka: KafkaAccess, directory: Path, task: Task, count: int) -> tuple[int, float]:
    live = Asked(kafka, directory, lambda name: DEFINITION.format(name=name, task=task))
    try:
        expert = _serve(live)
        events = [labelled_row(live.pipeline, FITTED + k) for k in range(count)]
        names = [feature.name for feature in live.pipeline.features]
        bodies = [{"event_id": e.event_id, "ts": e.ts, "entity": e.event_id,
                   "features": dict(zip(names, e.features, strict=True))} for e in events]
        answers: list[dict[str, Any]] = []
        for first in range(0, count, BATCH):
            answers += live.ask(bodies[first:first + BATCH]).raise_for_status().json()["answers"]
        live.until(live.covered, "the stream", 600)
        recorded = {p.source: p for p in (decode(r.value or b"", Prediction) for r in live.records(PREDICTIONS))}
        assert len(recorded) == len(answers) == count
        for answer in answers:
            said = recorded[answer["source"]]
            assert {name: answer.get(name) for name in SAID} == {name: getattr(said, name) for name in SAID}
        assert differences(live.reading()) == []
        furthest = _distance(expert, History(live.pipeline).rows_of(events), answers)
        assert furthest <= live.pipeline.gate.parity
        return count, furthest
    finally:
        live.close()


def _serve(live: Asked) -> FittedExpert:
    """Fit a model, announce it, and start who answers with it; what was fitted."""
    history, pipeline = History(live.pipeline), live.pipeline
    for offset in range(FITTED):
        history.append(offset, labelled_row(pipeline, offset))
    data = history.dataset(0, FITTED - 1)
    expert = fit(pipeline, Recipe(family="lightgbm", window="all", dataset=data.dataset, seed=0), data)
    profile = live.store(reference_profile(pipeline, data.rows).encode())
    live.announce_stored(live.store(export(expert)), profile, -1)
    live.start("score")
    live.open()
    return expert


def _distance(expert: FittedExpert, rows: Rows, answers: list[dict[str, Any]]) -> float:
    wanted = expert.predict(rows)
    found: NDArray[np.float64] = np.array([answer.get("probabilities") or answer["score"] for answer in answers])
    scale = np.maximum(np.abs(wanted), np.abs(wanted).mean()) if expert.metadata.task == "regression" else 1.0
    return float(np.max(np.abs(found - wanted) / scale))


if __name__ == "__main__":
    run_alone(run)
