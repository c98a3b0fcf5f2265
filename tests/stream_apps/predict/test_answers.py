"""What is answered over HTTP is in Kafka, and what the stream then puts on record is the same answer."""

from typing import Any

import pytest

from schemas.codec import answered_epoch, decode
from schemas.messages import Prediction
from schemas.topics import EVENTS, PREDICTIONS
from stream_apps.predict.explaining import LATE
from tests.live import differences
from tests.stream_apps.predict.conftest import Asked, event

ALIKE = ("event_id", "entity", "source", "model", "prediction", "score", "probabilities")


def recorded(live: Asked) -> dict[str, dict[str, Any]]:
    """Predictions on record by source, as far as answers have them, and the epoch that was answered."""
    live.until(live.covered, "all events to be covered")
    found = [decode(r.value or b"", Prediction) for r in live.records(PREDICTIONS)]
    return {p.source: {name: getattr(p, name) for name in ALIKE} | {
        "model": {"version": p.model.version, "digest": p.model.digest, "epoch": p.model.epoch},
        "answered": p.answered_epoch} for p in found}


def test_the_recorded_prediction_is_the_answer_and_names_its_epoch(asked: Asked) -> None:
    epoch = asked.announce(1.0, -1)
    canary = asked.announce(-1.0, epoch, canary_share=0.4)
    asked.open()
    asked.start("score")
    one = asked.ask(event(0))
    many = asked.ask([event(k) for k in range(1, 400)])
    assert (one.status_code, many.status_code) == (200, 200)
    answers = [one.json(), *many.json()["answers"]]
    assert [answer["event_id"] for answer in answers] == [f"e{k}" for k in range(400)]
    assert {answer["model"]["epoch"] for answer in answers} == {epoch, canary}
    assert recorded(asked) == {
        answer["source"]: answer | {"answered": answer["model"]["epoch"]} for answer in answers}
    reading = asked.reading()
    assert differences(reading) == []
    headers = [answered_epoch(r.headers) for r in asked.records(EVENTS)]
    assert sorted(map(str, headers)) == sorted(str(answer["model"]["epoch"]) for answer in answers)


def test_a_row_that_does_not_fit_costs_only_itself_and_is_not_written(asked: Asked) -> None:
    asked.announce(1.0, -1, fragile=False)
    asked.open()
    rows = [event(0), event(1, a="many"), {"event_id": "e2"}, event(3)]
    found = asked.ask(rows)
    assert found.status_code == 207
    answers, refused = found.json()["answers"], found.json()["refused"]
    assert [answer and answer["event_id"] for answer in answers] == ["e0", None, None, "e3"]
    assert [(row["row"], row["where"]) for row in refused] == [(1, "$.features.a"), (2, "$")]
    assert asked.count(EVENTS) == 2
    alone, none, broken = asked.ask(rows[1]), asked.ask(rows[1:3]), asked.http.post("/predict", content=b"{")
    assert (alone.status_code, none.status_code, broken.status_code) == (422, 422, 400)
    assert [row["row"] for row in none.json()["rows"]] == [0, 1]
    assert asked.count(EVENTS) == 2


def test_nobody_is_answered_without_a_token_or_with_more_than_may_be(asked: Asked) -> None:
    asked.announce(1.0, -1)
    asked.open()
    with asked.client("the-token-of-a-thief") as thief:
        assert thief.post("/predict", json=event(0)).status_code == 401
    assert asked.ask(event(0, c="x" * (256 << 10))).status_code == 413
    row = b"[" + b",".join([b'{"event_id":"e","ts":1,"features":{"a":1,"c":"x"}}'] * 10_001) + b"]"
    assert asked.http.post("/predict", content=row).status_code == 413
    assert asked.count(EVENTS) == 0


def test_without_a_model_one_is_told_to_come_again_and_is_answered_once_there_is_one(asked: Asked) -> None:
    asked.open(ready=False)
    early = asked.ask(event(0))
    assert (early.status_code, early.headers["retry-after"]) == (503, "1")
    assert "bootstrap" in early.json()["what"]
    assert asked.http.get("/readyz").status_code == 503
    asked.announce(1.0, -1)
    asked.until(lambda: asked.http.get("/readyz").status_code == 200, "the model")
    assert asked.ask(event(0)).status_code == 200
    assert asked.count(EVENTS) == 1


@pytest.mark.timeout(300)
def test_an_explanation_adds_up_to_the_score_and_without_time_for_it_the_answer_is_given_all_the_same(
        asked: Asked) -> None:
    asked.announce(1.5, -1, background=[[k / 5 - 2, None, "xyz"[k % 3]] for k in range(20)])
    asked.open(AUTOML_STREAM_EXPLAIN_SECONDS="0.5")
    first = asked.ask(event(1), explain="true").json()
    assert "explanation" not in first
    assert first["unexplained"] == "the explainer is starting; ask again"
    answer = asked.until(lambda: _explained(asked), "the explainer", 200)
    explanation = answer["explanation"]
    assert explanation["background"] == 20
    assert explanation["base"] + sum(explanation["values"].values()) == pytest.approx(answer["score"], abs=1e-5)
    rows = asked.ask([event(k) for k in range(2_000)], explain="true").json()["answers"]
    assert {row.get("unexplained") for row in rows} == {None, LATE}
    assert all("score" in row for row in rows)
    assert "explanation" not in asked.ask(event(5)).json()


def _explained(live: Asked) -> dict[str, Any]:
    """An answer with its explanation; nothing while the explainer starts."""
    answer = live.ask(event(2), explain="true").json()
    return answer if "explanation" in answer else {}
