"""The demo's live view in the terminal: what the topics say while the replay runs."""

import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Self

from confluent_kafka import Consumer, TopicPartition
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from automl_stream.demo.frozen import FrozenModel, read_first_model
from automl_stream.demo.run import Watcher
from automl_stream.topics import count_partitions
from kafka_access.access import NO_GROUP, KafkaAccess
from schemas.codec import decode
from schemas.messages import DriftAlert, DriftReport, LabelValue, ModelAnnouncement, Prediction, TrainingDecision
from schemas.pipeline import Pipeline
from schemas.topics import (
    DRIFT_ALERTS,
    DRIFT_STATS,
    MODEL_UPDATES,
    PREDICTIONS,
    TRAINING_DECISIONS,
    topic_name,
)

RECENT = 1_000
SHOWN_FEATURES = 6
PLAIN_SECONDS = 10.0


class LiveView(Watcher):
    """Draws four times a second; where there is no terminal, it prints a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._stage = ""
        self._sent = 0
        self._began = time.monotonic()
        self._plain_at = time.monotonic()
        self._truth: Mapping[str, LabelValue] = {}
        self._live_scores: deque[float] = deque(maxlen=RECENT)
        self._frozen_scores: deque[float] = deque(maxlen=RECENT)
        self._frozen: FrozenModel | None = None
        self._report: DriftReport | None = None
        self._alerts = 0
        self._trainings = 0
        self._version = "-"
        self._news: deque[str] = deque(maxlen=4)
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._live.stop()

    def stage(self, sentence: str) -> None:
        """A new stage begins."""
        self._stage = sentence
        if not self._console.is_terminal:
            self._console.print(sentence)

    def started(self, pipeline: Pipeline, kafka: KafkaAccess, truth: Mapping[str, LabelValue]) -> None:
        """The replay begins: follow the topics from here on."""
        self._truth, self._began = truth, time.monotonic()
        self._thread = threading.Thread(target=self._follow, args=(pipeline, kafka), name="view", daemon=True)
        self._thread.start()

    def progress(self, rows: int) -> None:
        """So many rows have been sent."""
        self._sent = rows
        if not self._console.is_terminal and time.monotonic() - self._plain_at > PLAIN_SECONDS:
            self._plain_at = time.monotonic()
            self._console.print(f"  {rows} of {len(self._truth)} rows, version {self._version}, "
                                f"{self._alerts} alerts, {self._quality()}")

    def _follow(self, pipeline: Pipeline, kafka: KafkaAccess) -> None:
        consumer = Consumer({**kafka.librdkafka(), "group.id": f"{NO_GROUP}view", "enable.auto.commit": False})
        topics = (PREDICTIONS, DRIFT_STATS, DRIFT_ALERTS, TRAINING_DECISIONS, MODEL_UPDATES)
        names = {topic_name(pipeline.name, topic): topic for topic in topics}
        consumer.assign([TopicPartition(name, p, 0) for name in names
                         for p in range(count_partitions(consumer, name))])
        while not self._stop.is_set():
            predictions: list[Prediction] = []
            for record in consumer.consume(500, 0.2):
                topic, value = names[record.topic() or ""], record.value()
                if record.error() is None and value is not None:
                    if topic == PREDICTIONS:
                        predictions.append(decode(value, Prediction))
                    else:
                        self._hear(topic.name, value)
            self._judge([p for p in predictions if p.event_id in self._truth], pipeline, kafka)
        consumer.close()

    def _hear(self, topic: str, value: bytes) -> None:
        if topic == DRIFT_STATS.name:
            self._report = decode(value, DriftReport)
        elif topic == DRIFT_ALERTS.name:
            self._alerts += 1
            self._news.append(f"alert: {decode(value, DriftAlert).sentence}")
        elif topic == TRAINING_DECISIONS.name:
            decision = decode(value, TrainingDecision)
            self._trainings += decision.verdict == "trained"
            self._news.append(f"{decision.verdict}: {decision.reason}")
        else:
            self._version = decode(value, ModelAnnouncement).version

    def _judge(self, predictions: Sequence[Prediction], pipeline: Pipeline, kafka: KafkaAccess) -> None:
        if not predictions:
            return
        if self._frozen is None:
            self._frozen = read_first_model(pipeline, kafka)
        truth = [self._truth[p.event_id] for p in predictions]
        self._live_scores += _scores(truth, [p.prediction for p in predictions])
        self._frozen_scores += _scores(truth, self._frozen.answers(predictions).labels)

    def _quality(self) -> str:
        if not self._live_scores or not self._frozen_scores:
            return "no predictions yet"
        live, frozen = (sum(scores) / len(scores) for scores in (self._live_scores, self._frozen_scores))
        regression = any(isinstance(value, float) for value in self._truth.values())
        return f"{'mean absolute error' if regression else 'accuracy'} {live:.3f} (first model {frozen:.3f})"

    def _render(self) -> Panel:
        seconds = max(time.monotonic() - self._began, 1e-9)
        figures = Table.grid(padding=(0, 2))
        figures.add_row("events/s", f"{self._sent / seconds:,.0f}", "model", f"version {self._version}")
        figures.add_row("alerts", str(self._alerts), "trainings", str(self._trainings))
        figures.add_row(f"last {RECENT:,}", self._quality(), "", "")
        parts = [Text(self._stage), ProgressBar(total=max(1, len(self._truth)), completed=self._sent), figures]
        if self._report is not None:
            parts.append(_drift(self._report))
        return Panel(Group(*parts, *(Text(line[:160], style="dim") for line in self._news)), title="automl-stream")


def _scores(truth: Sequence[LabelValue], answers: Sequence[LabelValue]) -> list[float]:
    """Absolute error, or 1 for a right class and 0 for a wrong one."""
    return [abs(t - float(a)) if isinstance(t, float) else float(a == t) for t, a in zip(truth, answers, strict=True)]


def _drift(report: DriftReport) -> Table:
    table = Table("feature", "KS", "PSI", "JS", "effect", "", title="the window's strongest evidence", box=None)
    for feature in report.features[:SHOWN_FEATURES]:
        table.add_row(feature.name, *("-" if x is None else f"{x:.3f}" for x in
                                      (feature.ks, feature.psi, feature.jensen_shannon)),
                      f"{feature.effect:+.2f}", "alarm" if feature.alarm else "")
    return table
