"""Suspected rows, tried one by one in a child process: which of them kill the process that scores them.

The child is this module run as a program: it loads the same models, scores a row, and says so, row after row.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from schema_registry.errors import RegistryAway
from schema_registry.events import event_codec
from schemas.model_log import Accepted
from schemas.pipeline import load_pipeline
from stream_apps.model_slot import LoadedModel, Slots, load_model
from stream_apps.scoring import Record, Scorer

ROW_SECONDS = 30.0  # a row that takes longer is as deadly as one that kills
START_SECONDS = 120.0
READY, SURVIVED = b"r", b"."


class QuarantineError(Exception):
    """The child process could not even load the models. Not retriable."""


class Row(Struct, frozen=True, array_like=True):
    """A record, as the child needs it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class ModelFiles(Struct, frozen=True):
    """A model as it was announced, with its files."""

    accepted: Accepted
    onnx: bytes
    profile: bytes

    @classmethod
    def of(cls, model: LoadedModel) -> "ModelFiles":
        """What a child needs to load the same model."""
        return cls(model.accepted, model.onnx, model.profile)


class Trial(Struct, frozen=True, kw_only=True):
    """What the child gets."""

    pipeline: str
    topic_id: str
    partition: int
    epoch: int
    champion: ModelFiles
    canary: ModelFiles | None
    share: float
    rows: list[Row]


async def deadly_rows(pipeline: Path, topic_id: str, partition: int, slots: Slots,
                      records: Sequence[Record]) -> set[int]:
    """Offsets of the records that end the process that scores them.

    Raises:
        QuarantineError: when the child cannot start.
    """
    rows = [Row(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records]
    trial = Trial(
        pipeline=str(pipeline), topic_id=topic_id, partition=partition, epoch=slots.epoch,
        champion=ModelFiles.of(slots.champion), canary=ModelFiles.of(slots.canary) if slots.canary else None,
        share=slots.share, rows=rows)
    deadly: set[int] = set()
    while rows:
        survivors = await _try(msgspec.structs.replace(trial, rows=rows))
        if survivors < len(rows):
            deadly.add(rows[survivors].offset)
        rows = rows[survivors + 1:]
    return deadly


async def _try(trial: Trial) -> int:
    """How many rows the child scored before one of them ended it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_apps.quarantine", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    if child.stdin is None or child.stdout is None:
        raise QuarantineError("the child process has no pipes")
    try:
        child.stdin.write(msgspec.msgpack.encode(trial))
        await child.stdin.drain()
        child.stdin.close()
        if await asyncio.wait_for(child.stdout.read(1), START_SECONDS) != READY:
            raise QuarantineError("the child process that should try suspected rows cannot load the models")
        survivors = 0
        while survivors < len(trial.rows):
            try:
                word = await asyncio.wait_for(child.stdout.read(1), ROW_SECONDS)
            except TimeoutError:
                break
            if word != SURVIVED:
                break
            survivors += 1
        return survivors
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def main() -> None:
    """Score the rows of the trial on stdin; a byte on stdout follows each."""
    trial = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Trial)
    pipeline = load_pipeline(Path(trial.pipeline))
    loaded = [load_model(files.accepted, files.onnx, files.profile, pipeline)
              for files in (trial.champion, trial.canary) if files]
    slots = Slots(epoch=trial.epoch, champion=loaded[0], canary=loaded[1] if trial.canary else None, share=trial.share)
    scorer = Scorer(pipeline, trial.topic_id, event_codec(pipeline, os.environ))
    _say(READY)
    for position, row in enumerate(trial.rows):
        try:
            scorer.run([row], trial.partition, slots, now=0)  # what it says of the row is not kept
        except RegistryAway:  # nothing can be said of the rows; who scores them waits for the registry and tries again
            _say(SURVIVED * (len(trial.rows) - position))
            return
        _say(SURVIVED)


def _say(word: bytes) -> None:
    sys.stdout.buffer.write(word)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
