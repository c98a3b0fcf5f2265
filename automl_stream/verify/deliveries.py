"""Every record of `events` as its bytes read: a row to score, a watermark, or what must end as a dead letter."""

from collections.abc import Iterable
from dataclasses import dataclass

from automl_stream.topic_log import Record
from schemas.codec import WATERMARK_HEADER, EventCodec, EventFormat, decode, epoch_ms
from schemas.messages import FeatureValue, Watermark
from schemas.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An event that can be scored."""

    event_id: str
    entity: str
    ts: int
    features: tuple[FeatureValue, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One record of `events`. `content` is text where it can be neither scored nor counted: why."""

    source: str
    record: Record
    content: Row | Watermark | str


def read_deliveries(pipeline: Pipeline, topic_id: str, records: Iterable[Record],
                    codec: EventFormat | None = None) -> dict[str, Delivery]:
    """Deliveries by source, in the order of `records`; JSON without `codec`."""
    codec = codec or EventCodec(pipeline)
    found = {}
    for record in records:
        source = f"{topic_id}-{record.partition}-{record.offset}"
        try:
            content: Row | Watermark | str = _content(record, codec, pipeline)
        except (ValueError, OverflowError) as error:  # msgspec's errors and bad UTF-8 are ValueErrors
            content = str(error)
        found[source] = Delivery(source=source, record=record, content=content)
    return found


def _content(record: Record, codec: EventFormat, pipeline: Pipeline) -> Row | Watermark | str:
    if not record.value:
        return "the record has no value"
    content = decode(record.value, Watermark) if WATERMARK_HEADER in record.headers else codec.decode(record.value)
    ts = epoch_ms(content.ts)
    if ts > epoch_ms(record.timestamp) + pipeline.windows.max_future:
        return f"its time is {ts - record.timestamp} ms ahead of the record's"
    if isinstance(content, Watermark):
        return content
    return Row(event_id=content.event_id, entity=content.entity, ts=ts, features=codec.values(content.features))
