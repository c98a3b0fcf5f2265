"""What an operator does from a page: the project's own commands, run as commands, so that what they check, say and put
on record is in one place."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from console.metrics import METRICS

MOST_AT_ONCE = 4
_WORD = re.compile(r"[a-z][a-z-]*")  # of a command; what follows is a path or an option
PATIENCE_SECONDS = 120.0
UNNAMED = "console"

log = structlog.get_logger()


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a command. `said`: its words; `document`: the JSON that it printed."""

    done: bool
    said: str
    document: Any = None


class Orders:
    """Runs `automl-stream`, a few at once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment`: with the addresses that the commands use."""
        self._environment = {**os.environ, **environment, "NO_COLOR": "1", "COLUMNS": "200"}
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._running: set[subprocess.Popen[str]] = set()

    def run(self, *arguments: str, patience: float = PATIENCE_SECONDS) -> Outcome:
        """Run it to its end. `--json` goes behind the command's words: every command used here knows it."""
        words = tuple(takewhile(_WORD.fullmatch, arguments))
        command = " ".join(words)
        if not self._places.acquire(timeout=1):
            METRICS.orders.labels(command, "busy").inc()
            return Outcome(done=False, said=f"{MOST_AT_ONCE} commands run already; try again when one has ended")
        try:
            outcome = self._run((*words, "--json", *arguments[len(words):]), patience)
        finally:
            self._places.release()
        METRICS.orders.labels(command, "done" if outcome.done else "refused").inc()
        log.info("an order was given", command=command, done=outcome.done, said=outcome.said)
        return outcome

    def end(self) -> None:
        """End what still runs."""
        for process in list(self._running):
            process.terminate()

    def _run(self, arguments: tuple[str, ...], patience: float) -> Outcome:
        process = subprocess.Popen([sys.executable, "-m", "automl_stream", *arguments], text=True,
                                   env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self._running.add(process)
        try:
            printed, said = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return Outcome(done=False, said=f"the command did not end within {patience:g} s and was broken off; see "
                                            "the record whether it was carried out")
        finally:
            self._running.discard(process)
        return _outcome(process.returncode, printed, said.strip().removeprefix("Error: "))


def _outcome(code: int, printed: str, said: str) -> Outcome:
    try:
        document = msgspec.json.decode(printed) if printed.strip() else None
    except msgspec.DecodeError:
        document = None
    return Outcome(done=code == 0, said=said or (f"the command ended with {code}" if code else ""), document=document)
