"""The trainer's log lines, from any library, are JSON that says whose they are."""

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import logging, structlog
from trainer.metrics import configure_logs
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
