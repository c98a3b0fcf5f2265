"""The hash chain of the audit: what is said of one topic's partition, in offset order, each row bound to all before it.

The chain is a function of the log: whoever has the records can compute it, and a replay repeats it.
"""

import hashlib
from typing import NamedTuple

START = bytes(32)
"""What the first row of a chain is bound to."""
_NOTHING = b"\xff" * 8


class AuditRow(NamedTuple):
    """A record as it is kept. `record_ts` in epoch milliseconds."""

    topic: str
    partition: int
    position: int
    record_ts: int
    key: bytes | None
    value: bytes | None


def link(before: bytes, row: AuditRow) -> bytes:
    """SHA-256 of the hash before and of every field with its length, so that no two rows are written alike.

    >>> row = AuditRow("p.commands", 0, 3, 5, None, b"{}")
    >>> link(START, row).hex()[:16]
    '80ce6109d81e216a'
    >>> link(START, row) == link(START, row._replace(key=b""))
    False
    """
    digest = hashlib.sha256(before)
    for field in row:
        data = field if isinstance(field, bytes) else None if field is None else str(field).encode()
        digest.update(_NOTHING if data is None else len(data).to_bytes(8, "big") + data)
    return digest.digest()
