"""The audit is a function of the log: replays and other chunks repeat it, and what is there is not written again."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import uuid4

import psycopg
import pytest

from schemas.audit_chain import START, AuditRow, link
from schemas.codec import decode
from schemas.messages import AuditHead
from stream_apps.audit import Auditor
from stream_apps.delivery import DeliveryError
from stream_apps.metrics.record import RecordMetrics
from stream_apps.migrations.migrate import migrate
from stream_apps.storage import Storage
from tests.stream_apps.fakes import FakeDelivery


class Desk:
    """An auditor on a schema of its own, and a look into it."""

    def __init__(self, database_url: str, name: str) -> None:
        migrate(database_url, name)
        self.name, self._url = name, database_url
        self.delivery = FakeDelivery()
        self.storage = Storage(database_url, name)
        self.metrics = RecordMetrics()
        self.auditor = Auditor(name, self.storage, self.delivery, self.metrics)  # type: ignore[arg-type]

    def row(self, offset: int, partition: int = 0, value: bytes | None = b"v") -> AuditRow:
        return AuditRow(f"{self.name}.commands", partition, offset, offset + 10, b"k", value)

    def store(self, *chunks: Sequence[AuditRow]) -> None:
        async def run() -> None:
            for chunk in chunks:
                await self.auditor.store(chunk)
            await self.storage.aclose()

        asyncio.run(run())

    def kept(self) -> list[tuple[object, ...]]:
        with psycopg.connect(self._url) as connection:
            query = f'select partition, position, value, chain from "{self.name}".audit order by 1, 2'
            return connection.execute(query.encode()).fetchall()

    def tamper(self, statement: str) -> None:
        with psycopg.connect(self._url) as connection:
            connection.execute(statement.format(f'"{self.name}".audit').encode())

    def heads(self) -> list[AuditHead]:
        assert {record.topic for record in self.delivery.sent} == {f"{self.name}.audit-heads"}
        return [decode(record.value or b"", AuditHead) for record in self.delivery.sent]


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    desk = Desk(database_url, f"t{uuid4().hex[:10]}")
    yield desk
    with psycopg.connect(database_url) as connection:
        connection.execute(f'drop schema if exists "{desk.name}" cascade'.encode())


def test_each_partition_has_a_chain_of_its_own_and_its_head_goes_to_kafka(desk: Desk) -> None:
    rows = [desk.row(offset) for offset in (0, 1, 4)]
    desk.store(rows[:2], [desk.row(0, 1, None)], rows[2:])
    chains, chain = [], START
    for row in rows:
        chain = link(chain, row)
        chains.append(chain)
    other = link(START, desk.row(0, 1, None))
    assert desk.kept() == [(0, row.position, b"v", chain) for row, chain in zip(rows, chains, strict=True)] + [
        (1, 0, None, other)]
    assert [(h.partition, h.position, h.chain) for h in desk.heads()] == [
        (0, 1, chains[1].hex()), (1, 0, other.hex()), (0, 4, chains[2].hex())]


def test_a_replay_in_other_chunks_repeats_the_rows_and_says_no_head_again(desk: Desk) -> None:
    rows = [desk.row(offset) for offset in range(6)]
    desk.store(rows[:4], rows[4:])
    before, heads = desk.kept(), desk.heads()
    desk.store(rows[:1], rows[1:5], rows[3:])
    assert (desk.kept(), desk.heads()) == (before, heads)
    assert desk.metrics.contradicted._value.get() == 0


def test_a_head_that_kafka_did_not_confirm_is_said_by_the_replay(desk: Desk) -> None:
    rows = [desk.row(offset) for offset in range(3)]

    async def refuse(_: object) -> None:
        raise DeliveryError("away")

    desk.delivery.send = refuse  # type: ignore[method-assign]
    with pytest.raises(DeliveryError):
        desk.store(rows)
    desk.delivery = desk.auditor._delivery = FakeDelivery()  # type: ignore[assignment]
    desk.store(rows)
    assert [(head.position, head.chain) for head in desk.heads()] == [(2, desk.kept()[-1][-1].hex())]  # type: ignore[attr-defined]


def test_two_recorders_at_once_store_each_row_once(desk: Desk) -> None:
    rows = [desk.row(offset) for offset in range(40)]
    twin = Storage(desk._url, desk.name)

    async def run() -> None:
        other = Auditor.__new__(Auditor)
        other.__dict__.update(desk.auditor.__dict__ | {"_storage": twin})
        await asyncio.gather(*(auditor.store(rows[:end]) for end in (10, 25, 40) for auditor in (desk.auditor, other)))
        await asyncio.gather(desk.storage.aclose(), twin.aclose())

    asyncio.run(run())
    chain = START
    for row in rows:
        chain = link(chain, row)
    assert len(desk.kept()) == 40
    assert desk.kept()[-1][-1] == chain


@pytest.mark.parametrize("statement", ["update {} set value = 'x' where position = 2",
                                       "delete from {} where position = 2"])
def test_a_replay_tells_what_was_tampered_with_and_repairs_nothing(desk: Desk, statement: str) -> None:
    rows = [desk.row(offset) for offset in range(4)]
    desk.store(rows)
    desk.tamper(statement)
    before = desk.kept()
    desk.store(rows, [desk.row(4)])
    assert desk.kept()[:len(before)] == before
    assert desk.metrics.contradicted._value.get() == 1
