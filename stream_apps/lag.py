"""How far a service is behind, as Kafka itself says: also of one that stands still, or has no model to score with."""

import asyncio
from collections.abc import Mapping

from confluent_kafka import KafkaException
from faust.types import TP

from kafka_access.access import KafkaAccess
from kafka_access.newest import NewestOffsets
from stream_apps.metrics.reading import ReadingMetrics
from stream_apps.transport import StreamApp

LOOK_SECONDS = 5.0
ANSWER_SECONDS = 4.0


class KafkaWatch:
    """Asks on a connection of its own, so that nobody who reads or commits waits for the answer."""

    def __init__(self, kafka: KafkaAccess, pipeline: str, metrics: ReadingMetrics) -> None:
        self._newest = NewestOffsets(kafka)
        self._pipeline = pipeline
        self._metrics = metrics

    async def look(self, positions: Mapping[TP, int]) -> None:
        """Show the lag behind `positions`, the offset after what is done with in each partition."""
        places = [(tp.topic, tp.partition) for tp in positions]
        try:
            if places:
                ends = await asyncio.to_thread(self._newest.ends, places, ANSWER_SECONDS)
            else:
                ends = {}
                await asyncio.to_thread(self._newest.topics, ANSWER_SECONDS)
        except KafkaException:
            self._metrics.reachable.set(0)
            return
        self._metrics.reachable.set(1)
        self._metrics.lag.clear()
        for tp, position in positions.items():
            self._metrics.lag.labels(tp.topic.removeprefix(f"{self._pipeline}."), tp.partition).set(
                max(0, ends[tp.topic, tp.partition] - position))


def watch_kafka(app: StreamApp, kafka: KafkaAccess, pipeline: str, metrics: ReadingMetrics) -> None:
    """Let the application show its lag while it runs."""

    @app.task
    async def watch(app: StreamApp) -> None:
        watching = KafkaWatch(kafka, pipeline, metrics)
        while True:
            await watching.look(app.consumer.positions)
            await asyncio.sleep(LOOK_SECONDS)
