"""The body of a batch as rows of JSON bytes: a JSON array, NDJSON, or CSV. Pure."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from typing import Protocol

from doors.problem import refusal
from doors.rows import array_rows
from doors.settings import MOST_ROWS

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"


class BadRow(ValueError):
    """A row that cannot be taken: what is wrong, where in it, what to do, and the status for one that comes alone."""

    def __init__(self, what: str, where: str, remedy: str, status: int = 422) -> None:
        super().__init__(what)
        self.what, self.where, self.remedy, self.status = what, where, remedy, status


Row = bytes | BadRow


class Shape(Protocol):
    """What rows of CSV are: the columns that there may be, those that must be, and what a row of them says."""

    columns: Sequence[str]
    needed: Sequence[str]

    def from_text(self, row: Mapping[str, str]) -> bytes:
        """JSON of a row."""
        ...


def rows_of(body: bytes, kind: str, shape: Shape) -> Sequence[Row]:
    """Rows of a batch, in order; one of CSV that is not as long as its header is a bad one.

    Raises:
        Refused: 400 when the body is not what `kind` says, 413 when there are too many rows, 415 for another kind.
    """
    if kind == JSON:
        rows: Sequence[Row] = array_rows(
            body, f"send an array, or say in Content-Type what it is ({NDJSON}, {CSV})")
    elif kind == NDJSON:
        rows = [line for line in body.split(b"\n") if line.strip()]
    elif kind == CSV:
        rows = list(_table(body, shape))
    else:
        raise refusal(415, f"'{kind}' is no form of a batch", "header 'Content-Type'",
                      f"send {JSON} (an array), {NDJSON} or {CSV}")
    if not rows:
        raise refusal(400, "there are no rows", "the body", "send at least one")
    if len(rows) > MOST_ROWS:
        raise refusal(413, f"{len(rows)} rows are more than {MOST_ROWS}", "the body", "send several smaller batches")
    return rows


def _table(body: bytes, shape: Shape) -> Iterator[Row]:
    try:
        lines = csv.reader(StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = next(lines, [])
        _check(header, shape)
        for line in filter(None, lines):
            if len(line) == len(header):
                yield shape.from_text(dict(zip(header, line, strict=True)))
            else:
                yield BadRow(f"{len(line)} fields where the header has {len(header)}", "the row", "mend it")
    except (UnicodeDecodeError, csv.Error) as error:
        raise refusal(400, f"no CSV in UTF-8: {error}", "the body", "mend it") from error


def _check(header: Sequence[str], shape: Shape) -> None:
    unknown = [name for name in header if name not in shape.columns]
    missing = [name for name in shape.needed if name not in header]
    faults = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(missing)
    if len(set(header)) < len(header):
        faults.append("a column is there twice")
    if faults:
        raise refusal(400, "; ".join(faults), "the header of the CSV", f"the columns are {', '.join(shape.columns)}")
