"""The table of topics."""

from manual.markdown import code, table
from schemas.pipeline import UNITS_MS
from schemas.topics import EVENTS, FOREVER, MAX_EVENT_BYTES, MAX_RECORD_BYTES, TOPICS, Topic

INTRODUCTION = f"""# Topics

A topic is called `PIPELINE.NAME`. `n` is the pipeline's `partitions`. What is kept by time is kept so long by default;
see `[retention]` in [configuration](configuration.md#retention). A record of `events` and `labels` has at most
{MAX_EVENT_BYTES >> 20} MiB, of others {MAX_RECORD_BYTES >> 20} MiB. Every record of an audited topic is in [the
audit](../record.md#the-audit) for good. Messages are described under [their names](messages.md); those of `events` may
be Avro.

"""


def page() -> str:
    """The page."""
    header = ("topic", "key", "message", "partitions", "kept", "written by", "read by", "audited")
    return INTRODUCTION + table(header, map(_row, TOPICS))


def _row(topic: Topic) -> tuple[str, ...]:
    return (code(topic.name), topic.key, " or ".join(map(_linked, topic.message.split(" | "))),
            str(topic.partitions or "n"), _kept(topic), topic.producer, ", ".join(topic.consumers),
            "yes" if topic.audited else "")


def _linked(message: str) -> str:
    if message == "bytes":
        return message
    marked = " or [Watermark](messages.md#watermark)" if message == EVENTS.message else ""
    return f"[{message}](messages.md#{message.lower()}){marked}"


def _kept(topic: Topic) -> str:
    if topic.cleanup == "compact":
        return "the newest of each key"
    return "for ever" if topic.retention_ms == FOREVER else f"{topic.retention_ms // UNITS_MS['d']} days"
