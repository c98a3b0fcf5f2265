"""What a report says of the topics, without Kafka."""

from automl_stream.demo.outcome import _Log, _reactions
from automl_stream.topic_log import Log
from schemas.messages import Artifact, DriftAlert, Model, ModelAnnouncement, Prediction, TrainingDecision, derived_id
from schemas.model_log import NO_EPOCH, ModelLog

INCIDENT = derived_id("incident", "opening")


def alert(alert_id: str) -> DriftAlert:
    return DriftAlert(alert_id=alert_id, kind="covariate", window_start=0, window_end=1, scale=1, onset=0,
                      features=["x"], sentence="", budget="", profile="", labelled_offset=0,
                      model=Model(version="1", digest="", epoch=0))


def announcement(replaces: int, decision_id: str) -> ModelAnnouncement:
    part = Artifact(digest="d", size=1, offset=0)
    return ModelAnnouncement(replaces=replaces, version="v", model=part, profile=part, reason="", issued_at=0,
                             decision_id=decision_id)


def prediction(epoch: int, scored_at: int) -> Prediction:
    return Prediction(event_id="e", entity="", ts=0, source=f"T-0-{scored_at}", source_day="", pipeline_digest="",
                      model=Model(version="", digest="", epoch=epoch), prediction="yes", score=1.0, features=[],
                      scored_at=scored_at)


def test_a_reaction_lasts_from_the_alert_that_opened_the_incident_to_the_first_answer_of_its_first_model() -> None:
    models = ModelLog()
    for epoch, decision_id in enumerate(["bootstrap", "first", "second"]):
        models.offer(epoch, announcement(epoch - 1 if epoch else NO_EPOCH, decision_id))
    decisions = [TrainingDecision(decision_id=decision_id, incident_id=INCIDENT, trigger="incident",
                                  verdict="promoted", reason="", at=0) for decision_id in ("first", "second")]
    log = _Log(events=set(), predictions=[], dead=set(), decisions=decisions, models=models,
               artifacts=Log(records=[], bounds={}),
               alerts=[(1_000, alert("opening")), (8_000, alert("later"))])
    winners = [prediction(0, 500), prediction(1, 9_500), prediction(1, 9_000), prediction(2, 20_000)]
    assert _reactions(log, winners) == [8.0]
