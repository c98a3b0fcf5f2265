"""The table of topics is complete: code has no topic that is not in it, and each one has somebody at both ends."""

import ast
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas import messages, topics
from schemas.codec import encode
from schemas.json_schema import TYPES
from schemas.pipeline import Drift, Duration, Feature, Identity, Pipeline, Windows
from schemas.topics import (
    DAY_MS,
    DRIFT_STATS,
    EVENTS,
    LABELLED,
    LABELS,
    MAX_EVENT_BYTES,
    MAX_RECORD_BYTES,
    MODEL_UPDATES,
    SCORE_STATE,
    TOPICS,
    WINDOW_COUNTS,
    Topic,
    partition_count,
    retention_of,
    topic_settings,
)

ROOT = Path(topics.__file__).parents[1]
PACKAGES = ("automl_stream", "drift", "kafka_access", "producers", "schemas", "stream_apps", "trainer")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
DEFINITION = "kafka_access/definition.py"  # read at the start of every service
PARTIES = {"producers": ["producers", DEFINITION], "trainer": ["trainer"],
           "predict": ["stream_apps/predict", "stream_apps/model_follower.py", DEFINITION],
           "command line": ["automl_stream/models", "automl_stream/applying.py"],
           "monitor": ["stream_apps/monitor.py", "stream_apps/quality_watch.py", "stream_apps/said_before.py",
                       "stream_apps/configuration.py"],
           "labels": ["stream_apps/labels.py", DEFINITION], "operator": ["automl_stream/audit"],
           "record": ["stream_apps/record.py", "stream_apps/audit.py"],
           "score": [*(f"stream_apps/{name}.py" for name in ("score", "checkpoints", "partition", "model_follower")),
                     DEFINITION]}
CONSTANTS = {name: value for name, value in vars(topics).items() if isinstance(value, Topic)}
PIPELINE = Pipeline(pipeline=Identity(name="p", task="binary", partitions=3),
                    features=(Feature(name="a", type="number"),))


def code_of(party: str) -> str:
    paths = [path for part in PARTIES[party]
             for path in ([ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py")))]
    return "\n".join(path.read_text("utf-8") for path in paths)


def test_every_constant_of_the_module_is_in_the_table() -> None:
    assert set(CONSTANTS.values()) == set(TOPICS)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)


def test_no_code_spells_a_topics_full_name_by_itself() -> None:
    full = re.compile(rf"\.({'|'.join(re.escape(topic.name) for topic in TOPICS)})")
    spelled = [(path.name, text) for path in SOURCES for text in texts_of(path) if full.fullmatch(text)]
    assert spelled == []


def texts_of(path: Path) -> list[str]:
    """Texts in the code, those of consumer groups excepted."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    groups = {id(inner) for node in nodes if isinstance(node, ast.keyword) and node.arg == "group"
              for inner in ast.walk(node)}
    return [node.value for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in groups]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_each_topic_is_named_in_the_code_of_its_producer_and_of_each_consumer(topic: Topic) -> None:
    constant = next(name for name, value in CONSTANTS.items() if value is topic)
    assert topic.consumers
    for party in (topic.producer, *topic.consumers):
        by_table = party == "record" and f'"{party}" in topic.consumers' in code_of(party)
        assert by_table or re.search(rf"\b{constant}\b", code_of(party)), f"{party} does not use {constant}"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.name)
def test_each_topics_message_is_a_type_with_a_schema(topic: Topic) -> None:
    kinds = {kind.__name__ for kind in TYPES} | {"bytes"}
    assert set(topic.message.split(" | ")) <= kinds


def test_what_the_log_decides_is_never_shortened_and_the_log_of_models_never_compacted() -> None:
    for topic in (LABELLED, MODEL_UPDATES):
        assert topic_settings(PIPELINE, topic)["retention.ms"] == "-1"
        assert topic_settings(PIPELINE, topic)["cleanup.policy"] == "delete"
    assert topic_settings(PIPELINE, SCORE_STATE)["cleanup.policy"] == "compact"
    assert "retention.ms" not in topic_settings(PIPELINE, SCORE_STATE)


@pytest.mark.parametrize(("size", "scales", "days"), [(200_000, 7, 30), (DAY_MS, 4, 30), (DAY_MS, 7, 129)])
def test_window_counts_are_kept_as_long_as_a_decision_looks_back_and_reports_longer(
        size: int, scales: int, days: int) -> None:
    """Else a restarted monitor would pool fewer windows, or say again what it has said."""
    pipeline = replace(PIPELINE, windows=Windows(size=Duration(size), lateness=Duration(DAY_MS)),
                       drift=Drift(scales=scales))
    assert int(topic_settings(pipeline, WINDOW_COUNTS)["retention.ms"]) == days * DAY_MS
    assert retention_of(pipeline, DRIFT_STATS) == (days + 60) * DAY_MS
    assert retention_of(pipeline, LABELLED) == -1
    assert retention_of(pipeline, EVENTS) == 7 * DAY_MS


def test_a_topic_has_the_pipelines_partitions_unless_one_order_for_everyone_matters() -> None:
    assert partition_count(PIPELINE, EVENTS) == 3
    assert partition_count(PIPELINE, LABELLED) == 1
    assert messages.LabelledEvent.__name__ == LABELLED.message


def test_only_what_comes_from_outside_is_held_to_the_size_of_an_event() -> None:
    limits = {topic: int(topic_settings(PIPELINE, topic)["max.message.bytes"]) for topic in TOPICS}
    assert {topic.name for topic, limit in limits.items() if limit == MAX_EVENT_BYTES} == {EVENTS.name, LABELS.name}
    assert set(limits.values()) == {MAX_EVENT_BYTES, MAX_RECORD_BYTES}


def test_a_dead_letter_has_room_for_the_largest_event() -> None:
    letter = messages.DeadLetter(source="s" * 100, reason="malformed", detail="d" * 1_000, raw=bytes(MAX_EVENT_BYTES),
                                 raw_key=b"k" * 100, record_ts=1, last_offset=1)
    assert len(encode(letter)) < MAX_RECORD_BYTES
