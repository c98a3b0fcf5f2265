"""Logs of a service: JSON lines on standard output, whoever writes them."""

import logging
import sys
from typing import Any

import structlog

LOG_LINES, LOG_SECONDS = 5, 10.0  # an outage of 100 s otherwise writes 13,000 lines


def configure_logs(**context: object) -> None:
    """JSON lines with `context` (service, pipeline, ...) on every one."""
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
                         structlog.processors.TimeStamper(fmt="iso", utc=True),
                         structlog.processors.format_exc_info]
    structlog.configure(processors=[*shared, structlog.processors.JSONRenderer()],
                        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout))
    structlog.contextvars.bind_contextvars(**context)
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                                              structlog.processors.JSONRenderer()]))
    handler.addFilter(RepeatLimit())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class RepeatLimit(logging.Filter):
    """Let through a few lines of each of aiokafka's messages in some seconds."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the line."""
        if not record.name.startswith("aiokafka"):
            return True
        since, count = self._seen.get(str(record.msg), (record.created, 0))
        if record.created - since > LOG_SECONDS:
            since, count = record.created, 0
        self._seen[str(record.msg)] = (since, count + 1)
        return count < LOG_LINES
