"""Rows of labelled events belong to the profile that their model served under, as far as the log of models knows it."""

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.codec import encode
from schemas.messages import LabelledEvent, Model
from stream_apps import labelled_losses
from stream_apps.labelled_losses import LabelledLosses
from tests.tiny import accepted, profile_bytes

PROFILE = profile_bytes()


def row(number: int, epoch: int) -> LabelledEvent:
    return LabelledEvent(event_id=f"e{number}", entity="k", ts=0, source=f"s-0-{number}", pipeline_digest="d",
                         features=[0.0, 0.0, "x"], label="yes", labelled_ts=0, prediction="yes", score=0.8,
                         model=Model(version="1", digest="d", epoch=epoch))


def test_a_piece_asks_once_for_an_epoch_that_the_log_does_not_have_and_the_next_piece_again(
        monkeypatch: pytest.MonkeyPatch) -> None:
    log = [row(number, epoch) for number, epoch in enumerate((0, 3, 3, 3, 4, 3, 3))]
    known, reads = [0], []

    async def read_each(*_: Any, first: int, end: int) -> AsyncGenerator[tuple[int, bytes]]:
        for offset in range(first, end):
            yield offset, encode(log[offset])

    async def read_models() -> Any:
        reads.append(len(known))
        return SimpleNamespace(accepted=[accepted(b"", PROFILE, epoch, 0) for epoch in known], canaries=[])

    async def piece(until: int) -> list[int]:
        return [loss.offset async for loss in losses.rows(0, until)]

    monkeypatch.setattr(labelled_losses, "read_each", read_each)
    losses = LabelledLosses("labelled", "binary", "", read_models)  # type: ignore[arg-type]
    assert asyncio.run(piece(5)) == [0]
    assert len(reads) == 3  # for 0, 3 and 4
    known.append(3)
    assert asyncio.run(piece(7)) == [5, 6]
    assert len(reads) == 4
