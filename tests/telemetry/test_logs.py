"""A service's log lines, from any library, are JSON that says whose they are; repeated ones are few."""

import json
import logging
import subprocess
import sys
from typing import Any

from telemetry.logs import LOG_LINES, LOG_SECONDS, RepeatLimit

SCRIPT = """
import logging, structlog
from telemetry.logs import configure_logs
configure_logs(service="me", pipeline="p")
logging.getLogger("other").warning('it said "no" to %s', "it's\\n")
structlog.get_logger().info('ours said "yes"', count=3)
"""


def lines_of(script: str) -> list[dict[str, Any]]:
    """What a process that runs the script prints: JSON objects, one a line."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_each_line_is_json_that_names_its_service_whoever_wrote_it() -> None:
    foreign, ours = lines_of(SCRIPT)
    assert (foreign["event"], foreign["level"]) == ('it said "no" to it\'s\n', "warning")
    assert (ours["event"], ours["count"], ours["level"]) == ('ours said "yes"', 3, "info")
    for line in (foreign, ours):
        assert (line["service"], line["pipeline"]) == ("me", "p")
        assert line["timestamp"]


def test_a_message_that_aiokafka_repeats_is_limited_and_nobody_elses_is() -> None:
    repeats = LOG_LINES * 3
    repeated = "\n".join(f"for n in range({repeats}): logging.getLogger({name!r}).warning('node %s is away', n)"
                         for name in ("aiokafka.conn", "other"))
    events = [line["event"] for line in lines_of(f"{SCRIPT}\n{repeated}")[2:]]
    assert events == [f"node {n} is away" for count in (LOG_LINES, repeats) for n in range(count)]


def test_a_message_that_the_kafka_client_repeats_is_written_a_few_times_in_a_while() -> None:
    limit = RepeatLimit()

    def written(name: str, message: str, at: float) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "", 0, message, None, None)
        record.created = at
        return limit.filter(record)

    assert sum(written("aiokafka.conn", "no %s", at=1.0) for _ in range(1000)) == LOG_LINES
    assert sum(written("aiokafka.conn", "other", at=1.0) for _ in range(1000)) == LOG_LINES
    assert sum(written("stream_apps.score", "no %s", at=1.0) for _ in range(1000)) == 1000
    assert sum(written("aiokafka.conn", "no %s", at=2.0 + LOG_SECONDS) for _ in range(1000)) == LOG_LINES
