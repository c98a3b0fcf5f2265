"""What a monitor has said before it was started again, as Kafka has it."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import DriftAlert, DriftReport, PartitionCount
from schemas.topics import DRIFT_ALERTS, DRIFT_STATS, EVENTS, WINDOW_COUNTS, topic_name
from stream_apps.topics import count_partitions, read_all, read_each

_RAISED = b'{"type":"partitions"'  # how a PartitionCount begins: the others are too many to be decoded twice

Said = dict[tuple[int, str], int]


@dataclass(frozen=True, kw_only=True)
class SaidBefore:
    """Windows, by start and profile, and how far each had counted `labelled`: those with a report; those with an alert,
    which perhaps have no report. `partitions`: how many `events` had when the log of window counts began."""

    reported: Said
    alerted: Said
    partitions: int


async def read_said_before(pipeline: str, kafka: KafkaAccess) -> SaidBefore:
    """Everything up to now; the first report and alert of a window count."""
    partitions = await _first_partitions(pipeline, kafka)
    reported: Said = {}
    for _, value in await read_all(topic_name(pipeline, DRIFT_STATS), kafka):
        report = decode(value or b"", DriftReport)
        reported.setdefault((report.window_start, report.profile), report.labelled)
    alerted: Said = {}
    for _, value in await read_all(topic_name(pipeline, DRIFT_ALERTS), kafka):
        alert = decode(value or b"", DriftAlert)
        alerted.setdefault((alert.window_start, alert.profile), alert.labelled_offset)
    return SaidBefore(reported=reported, alerted=alerted, partitions=partitions)


async def _first_partitions(pipeline: str, kafka: KafkaAccess) -> int:
    """Kafka is asked first: partitions that it has by then were written down before."""
    now = await asyncio.to_thread(count_partitions, topic_name(pipeline, EVENTS), kafka)
    async with aclosing(read_each(topic_name(pipeline, WINDOW_COUNTS), kafka)) as records:
        async for _, value in records:
            if value and value.startswith(_RAISED):
                return decode(value, PartitionCount).before
    return now
