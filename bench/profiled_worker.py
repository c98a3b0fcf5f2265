"""The score worker with a clock at each stage and with its threads' names known to the system; `bench.profile` runs it.

Every 0.1 s it writes the CPU seconds that each stage took so far to the file that PROFILE names.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from drift.counts import CellCounter
from schemas.codec import FeatureMatrix
from stream_apps import delivery, score
from stream_apps.delivery import Delivery
from stream_apps.model_slot import LoadedModel
from stream_apps.scoring import Scorer
from stream_apps.transport import fetch
from stream_apps.transport.fetch import RowReader
from stream_apps.windows import PartitionWindows

# The parts of `step` and of `read` are in them, too.
STAGES: dict[str, tuple[Any, str]] = {
    "read": (RowReader, "_read"), "rows": (fetch, "_sorted"), "step": (Scorer, "run"), "decode": (Scorer, "_decode"),
    "times": (Scorer, "_in_time"), "matrix": (FeatureMatrix, "split"), "model": (LoadedModel, "run"),
    "cells": (CellCounter, "indices"), "encode": (Scorer, "_encode"), "windows": (PartitionWindows, "add"),
    "enqueue": (delivery, "_enqueue_pairs"), "flush": (Delivery, "_flush"),
}
WRITE_SECONDS = 0.1
NAME_BYTES = 15  # what Linux keeps


def time_stages(seconds: dict[str, float]) -> None:
    """Let each stage add the CPU time of its thread."""
    lock = threading.Lock()
    for stage, (owner, name) in STAGES.items():
        setattr(owner, name, timed(getattr(owner, name), stage, seconds, lock))


def timed(part: Callable[..., Any], stage: str, seconds: dict[str, float], lock: threading.Lock) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        started = time.thread_time()
        try:
            return part(*arguments, **options)
        finally:
            with lock:
                seconds[stage] += time.thread_time() - started

    return run


def name_threads() -> None:
    """Every thread begun from here on bears its name. Python does so by itself from 3.14 on."""
    begin = threading.Thread._bootstrap_inner  # pyright: ignore[reportAttributeAccessIssue]  # noqa: SLF001  # none else runs in all

    def named(thread: threading.Thread) -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(thread.name[:NAME_BYTES])
        begin(thread)

    threading.Thread._bootstrap_inner = named  # pyright: ignore[reportAttributeAccessIssue]  # noqa: SLF001


def keep_writing(seconds: dict[str, float], path: Path) -> None:
    """Until the process is killed."""
    fresh = path.with_suffix(".new")
    while True:
        fresh.write_bytes(msgspec.json.encode(dict(seconds)))
        fresh.replace(path)
        time.sleep(WRITE_SECONDS)


def main() -> None:
    """Run the service."""
    seconds: dict[str, float] = defaultdict(float)
    name_threads()
    time_stages(seconds)
    path = Path(os.environ["PROFILE"])
    threading.Thread(target=keep_writing, args=(seconds, path), name="clock", daemon=True).start()
    score.main()


if __name__ == "__main__":
    main()
