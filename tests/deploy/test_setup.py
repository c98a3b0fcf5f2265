"""What runs once before the services may run again: topics that are there stay."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from automl_stream.topic_log import TopicLog
from kafka_access.access import KafkaAccess
from schemas.topics import TOPICS, topic_name
from tests.tiny import definition


def command(kafka: KafkaAccess, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "automl_stream", *arguments], capture_output=True, text=True,
                          check=False, timeout=120, env=os.environ | {
                              "KAFKA_BOOTSTRAP_SERVERS": kafka.servers, "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"})


def test_topics_are_made_once(kafka: KafkaAccess, tmp_path: Path) -> None:
    name = f"t{uuid4().hex[:10]}"
    file = tmp_path / "new.toml"
    file.write_text(definition(name))
    for _ in range(2):
        done = command(kafka, "topics", file)
        assert (done.returncode, done.stdout) == (0, f"{name}: its {len(TOPICS)} topics are there\n"), done.stderr
    log = TopicLog(kafka)
    assert all(log.bounds(topic_name(name, topic)) for topic in TOPICS)
    log.close()
