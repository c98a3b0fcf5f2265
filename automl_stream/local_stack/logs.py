"""What `automl-stream logs` shows."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, TextIO

from automl_stream.local_stack.errors import UnknownService

if TYPE_CHECKING:
    from pathlib import Path

TAIL_LINES = 50
POLL_SECONDS = 0.2


def show_logs(home: Path, name: str | None, out: TextIO, *, follow: bool = False) -> None:
    """Write the last lines of one service's log, or of all; with ``follow`` go on until interrupted.

    Raises:
        UnknownService: there is no such log.
    """
    paths = sorted((home / "logs").glob("*.log"))
    known = [path.stem for path in paths]
    if name is not None and name not in known:
        message = f"There is no log of {name!r} in {home / 'logs'}; there are {', '.join(known) or 'none'}."
        raise UnknownService(message)
    files = [path.open(errors="replace") for path in paths if name in (None, path.stem)]
    width = max((len(path) for path in known), default=0)
    prefixes = [f"{path.stem:<{width}} | " if name is None else "" for path in paths if name in (None, path.stem)]
    for file, prefix in zip(files, prefixes, strict=True):
        out.writelines(prefix + line for line in deque(file, maxlen=TAIL_LINES))
    while follow:
        for file, prefix in zip(files, prefixes, strict=True):
            out.writelines(prefix + line for line in file)
        out.flush()
        time.sleep(POLL_SECONDS)
    for file in files:
        file.close()
