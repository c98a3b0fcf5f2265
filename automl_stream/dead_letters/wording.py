"""Times and bytes of strangers as text that is safe to print."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = 16


def when(ts: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC; a dash where a record has no time."""
    if ts < 0:
        return "-"
    try:
        return (_EPOCH + timedelta(milliseconds=ts)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{ts} ms"


def printable(text: str) -> str:
    """`text` with whatever could steer a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def readable(data: bytes) -> str:
    """UTF-8 as it is; anything else, control characters included, as a hex dump."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return hex_dump(data)
    return text if all(c.isprintable() or c in "\n\t" for c in text) else hex_dump(data)


def hex_dump(data: bytes) -> str:
    """Offset, 16 bytes in hexadecimal, and those that are ASCII.

    >>> print(hex_dump(b"{a" + bytes([0, 255])))
    00000000  7b 61 00 ff                                      {a..
    """
    rows = ((start, data[start:start + _COLUMNS]) for start in range(0, len(data), _COLUMNS))
    return "\n".join(f"{start:08x}  {row.hex(' '):<{3 * _COLUMNS}} "
                     + "".join(chr(b) if chr(b).isascii() and chr(b).isprintable() else "." for b in row)
                     for start, row in rows)
