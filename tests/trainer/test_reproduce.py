"""A promoted model made again from topics: identical, or what differs is named."""

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from schemas.codec import encode
from schemas.messages import Artifact, Candidate, LabelledEvent, Message, ModelAnnouncement, Recipe, TrainingDecision
from schemas.pipeline import Family, Pipeline
from schemas.topics import LABELLED, MODEL_UPDATES, TRAINING_DECISIONS, topic_name
from trainer.candidates import fit
from trainer.environment import environment
from trainer.errors import UnknownDecision
from trainer.history import History
from trainer.kafka_log import LogRecord
from trainer.onnx_export import export
from trainer.reproduce import Reproduction, reproduce

Make = Callable[..., Pipeline]
Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
FIRST, LAST, ROWS = 40, 239, 300

pytestmark = pytest.mark.filterwarnings("default")


class Topics:
    """Records of topics, as `LogReader` reads them."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.labelled: list[LabelledEvent] = []
        self.decisions: list[TrainingDecision] = []
        self.models: list[ModelAnnouncement] = []

    def read(self, topic: str, first: int = 0, end: int | None = None) -> Iterator[LogRecord]:
        of: dict[str, list[Any]] = {topic_name(self.pipeline.name, kind): messages for kind, messages in (
            (LABELLED, self.labelled), (TRAINING_DECISIONS, self.decisions), (MODEL_UPDATES, self.models))}
        messages: list[Message] = of[topic][first:end]
        return (LogRecord(offset=k, key=None, value=encode(m)) for k, m in enumerate(messages, first))

    def again(self, decision_id: str = "d") -> Reproduction:
        reader: Any = self
        return reproduce(self.pipeline, decision_id, reader, lambda _: None)


def promoted(pipeline: Pipeline, events: list[LabelledEvent], family: str, **parameters: float) -> Topics:
    """What a promotion of this family leaves behind. Rows after its last are newer than the decision; among its own
    are a revision, a delivery that came twice, and a class that only older rows have."""
    topics = Topics(pipeline)
    topics.labelled = [*events[:100], replace(events[50], revision=1), events[60], *events[100:]]
    history = History(pipeline)
    for offset, event in enumerate(topics.labelled[: LAST + 1]):
        history.append(offset, event)
    data = history.dataset(FIRST, LAST)
    recipe = Recipe(family=family, window=200, dataset=data.dataset, seed=3, parameters={**parameters})
    other = replace(recipe, family="logistic", parameters={})
    candidates = [Candidate(recipe=named, loss=None, rows=0) for named in (other, recipe)]
    digest = sha256(export(fit(pipeline, recipe, data))).hexdigest()
    trained = TrainingDecision(decision_id="d", incident_id=None, trigger="refresh", verdict="trained", reason="",
                               at=LAST + 1, candidates=candidates)
    topics.decisions = [
        trained, replace(trained, verdict="promoted", recipe=recipe, version="2", environment=environment(pipeline)),
        replace(trained, decision_id="refused", verdict="rejected")]
    artifact = Artifact(digest=digest, size=1, offset=0)
    topics.models = [ModelAnnouncement(replaces=-1, version="2", model=artifact, profile=artifact, reason="refresh",
                                       decision_id="d", issued_at=0)]
    return topics


@pytest.fixture
def topics(make_pipeline: Make, stream: Stream) -> Topics:
    pipeline = make_pipeline("multiclass")
    return promoted(pipeline, rows_of(pipeline, stream), "logistic", penalty=0.5)


def rows_of(pipeline: Pipeline, stream: Stream) -> list[LabelledEvent]:
    rows = stream(pipeline, 0, ROWS)
    return [replace(rows[0], label="zebra") if pipeline.task == "multiclass" else rows[0], *rows[1:]]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("family", get_args(Family))
def test_every_family_is_reproduced_byte_for_byte(make_pipeline: Make, stream: Stream, task: str, family: str) -> None:
    pipeline = make_pipeline(task)
    topics = promoted(pipeline, rows_of(pipeline, stream), family)
    found = topics.again()
    assert (found.identical, found.differences, found.environment) == (True, [], [])
    assert found.digest == topics.models[0].model.digest


def test_a_changed_row_is_named_and_nothing_is_fitted_on_it(topics: Topics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.reproduce.fit", lambda *_: pytest.fail("fitted"))
    changed = topics.labelled[150]
    topics.labelled[150] = replace(changed, features=[9.0, *changed.features[1:]])
    found = topics.again()
    assert [d.what for d in found.differences] == ["rows"]
    assert not found.identical
    recorded = topics.decisions[1].recipe
    assert recorded is not None
    assert recorded.dataset.digest in found.differences[0].recorded


def test_a_row_that_is_not_of_the_dataset_may_be_another(topics: Topics) -> None:
    topics.labelled[10] = replace(topics.labelled[10], features=[9.0, *topics.labelled[10].features[1:]])
    topics.labelled[-1] = replace(topics.labelled[-1], label="another")
    assert topics.again().identical


@pytest.mark.parametrize("change", [{"seed": 4}, {"parameters": {"penalty": 0.25}}, {"family": "forest"}])
def test_a_changed_recipe_is_named_with_what_was_decided_before_the_fit(topics: Topics, change: Any) -> None:
    decided = topics.decisions[1]
    assert decided.recipe is not None
    topics.decisions[1] = replace(decided, recipe=replace(decided.recipe, **change))
    found = topics.again()
    assert found.differences[0].what == "recipe"
    assert "seed 3, penalty 0.5" in found.differences[0].recorded
    assert not found.identical


def test_other_bytes_are_named_with_both_digests_and_the_libraries_that_may_be_why(topics: Topics) -> None:
    model = topics.models[0].model
    topics.models[0] = replace(topics.models[0], model=replace(model, digest="0" * 64))
    decided = topics.decisions[1]
    topics.decisions[1] = replace(decided, environment=decided.environment | {"scikit-learn": "1.0"})
    found = topics.again()
    (difference,) = found.differences
    assert (difference.what, difference.recorded, difference.found) == ("bytes", "0" * 64, model.digest)
    assert [(d.what, d.recorded) for d in found.environment] == [("scikit-learn", "1.0")]


def test_other_libraries_with_the_same_bytes_are_shown_and_identical(topics: Topics) -> None:
    decided = topics.decisions[1]
    topics.decisions[1] = replace(decided, environment=decided.environment | {"numpy": "1.0"})
    found = topics.again()
    assert found.identical
    assert [d.what for d in found.environment] == ["numpy"]


def test_without_the_log_the_rows_are_said_to_be_gone(topics: Topics) -> None:
    topics.labelled.clear()
    (difference,) = topics.again().differences
    assert (difference.what, difference.found) == ("rows", "none")


def test_what_announced_no_model_is_refused_with_what_did(topics: Topics) -> None:
    with pytest.raises(UnknownDecision, match=r"has no decision nobody; 1 decisions announced models.* d$"):
        topics.again("nobody")
    with pytest.raises(UnknownDecision, match=r"refused is 'rejected' and announced no model; .* d$"):
        topics.again("refused")
    topics.models.clear()
    with pytest.raises(UnknownDecision, match="no accepted announcement"):
        topics.again()
    topics.decisions.clear()
    with pytest.raises(UnknownDecision, match="bootstrap announces the first"):
        topics.again()
