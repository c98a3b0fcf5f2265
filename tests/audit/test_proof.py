"""Whatever is done to the audit is found, also by who computes every hash anew, and its first row is named."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_stream.audit.heads import Head, Known, Place
from automl_stream.audit.proof import Chain, prove
from automl_stream.audit.rows import Kept
from automl_stream.topic_log import Record
from schemas.audit_chain import START, AuditRow, link

PLACE: Place = ("p.commands", 0)
OFFSETS = (0, 1, 3, 4, 7, 8)  # what a transaction leaves out is no gap


def said(offset: int) -> AuditRow:
    return AuditRow(*PLACE, offset, 100 + offset, b"k" if offset % 2 else None, f"word {offset}".encode())


def chained(rows: Sequence[AuditRow]) -> list[Kept]:
    chain, kept = START, []
    for row in rows:
        chain = link(chain, row)
        kept.append(Kept(row, chain))
    return kept


ROWS = [said(offset) for offset in OFFSETS]
HONEST = chained(ROWS)


def known(heads: Sequence[int] = (1, 4, 8), *, records: bool = True, first: int = 0) -> dict[Place, Known]:
    chains = {kept.row.position: kept.chain.hex() for kept in HONEST}
    kept_records = {row.position: Record(partition=0, offset=row.position, timestamp=row.record_ts, key=row.key,
                                         value=row.value) for row in ROWS if records and row.position >= first}
    return {PLACE: Known(heads={p: [Head(n, chains[p])] for n, p in enumerate(heads)}, records=kept_records,
                         first=first if records else 9, end=9)}


def verdict(rows: Sequence[Kept], knowledge: dict[Place, Known]) -> Chain:
    (chain,) = prove(rows, knowledge)
    return chain


def test_what_nobody_touched_is_well_with_and_without_records() -> None:
    for knowledge in (known(), known(records=False), known(first=4)):
        found = verdict(HONEST, knowledge)
        assert (found.rows, found.heads, found.unheaded, found.difference) == (6, 3, 0, None)


def test_rows_and_records_behind_the_newest_head_are_on_their_way() -> None:
    assert verdict(HONEST[:4], known(heads=(1, 4))).difference is None
    found = verdict(HONEST, known(heads=(1,)))
    assert (found.unheaded, found.difference) == (4, None)


Change = Callable[[list[AuditRow]], tuple[list[AuditRow], int]]
"""Changes rows; returns them and the first offset that is not as it was said."""


def altered(**columns: object) -> Change:
    return lambda rows: ([*rows[:2], rows[2]._replace(**columns), *rows[3:]], 3)  # type: ignore[arg-type]


CHANGES: dict[str, Change] = {
    "time": altered(record_ts=1), "key": altered(key=b"other"), "no key": altered(key=None),
    "value": altered(value=b"word 4"), "no value": altered(value=None), "empty key": altered(key=b""),
    "deleted": lambda rows: ([*rows[:2], *rows[3:]], 3),
    "first deleted": lambda rows: (rows[1:], 0),
    "last deleted": lambda rows: (rows[:-1], 8),
    "all deleted": lambda _: ([], 0),
    "inserted": lambda rows: ([*rows[:2], said(2), *rows[2:]], 2),
    "put behind": lambda rows: ([*rows, said(9)], 9),
    "exchanged": lambda rows: ([*rows[:3], rows[3]._replace(value=rows[4].value), rows[4]._replace(value=rows[3].value),
                                *rows[5:]], 4),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_who_changes_rows_and_not_their_hashes_is_found(change: Change) -> None:
    rows, first = change(list(ROWS))
    hashes = {kept.row.position: kept.chain for kept in HONEST}
    found = verdict([Kept(row, hashes.get(row.position, START)) for row in rows], known())
    assert found.position == first
    assert found.difference


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_who_computes_every_hash_anew_is_found_by_the_records_in_kafka(change: Change) -> None:
    rows, first = change(list(ROWS))
    assert verdict(chained(rows), known()).position == first


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in {"put behind", "deleted"}])
def test_where_kafka_has_lost_the_records_the_heads_are_enough(name: str) -> None:
    rows, first = CHANGES[name](list(ROWS))
    found = verdict(chained(rows), known(records=False))
    assert found.position is not None
    assert found.position >= first or name == "all deleted"
    assert found.difference


@given(st.integers(0, len(ROWS) - 1), st.integers(0, 31))
def test_a_changed_bit_of_any_hash_is_found(row: int, byte: int) -> None:
    kept = HONEST[row]
    chain = bytes(b ^ (1 if n == byte else 0) for n, b in enumerate(kept.chain))
    found = verdict([*HONEST[:row], Kept(kept.row, chain), *HONEST[row + 1:]], known())
    assert found.position == kept.row.position


def test_a_head_that_contradicts_an_earlier_one_is_found() -> None:
    knowledge = known()
    knowledge[PLACE].heads[4].append(Head(9, "00" * 32))
    assert verdict(HONEST, knowledge).position == 4


def test_rows_of_a_topic_that_kafka_does_not_know_were_put_in() -> None:
    rows = [kept.row._replace(topic="p.other") for kept in HONEST]
    found = {chain.topic: chain for chain in prove(chained(rows), {})}
    assert found["p.other"].position == 0


@given(st.lists(st.tuples(st.none() | st.binary(max_size=3), st.none() | st.binary(max_size=3)), min_size=2, max_size=2,
                unique=True))
def test_no_two_rows_are_written_alike(pair: list[tuple[bytes | None, bytes | None]]) -> None:
    one, other = (AuditRow("t", 0, 1, 2, *fields) for fields in pair)
    assert link(START, one) != link(START, other)
