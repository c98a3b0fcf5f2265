"""What a door says when it does not do what it was asked: one shape, whatever went wrong."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

ROWS_TOLD = 100


class RowProblem(Struct, frozen=True, kw_only=True):
    """A row of a batch that cannot be taken: its number, from 0 on; what is wrong, where in it, what to do."""

    row: int
    what: str
    where: str
    remedy: str


class Problem(Struct, frozen=True, kw_only=True):
    """The body of every answer that is not 2xx. `rows`: the first of those that cannot be taken, `more_rows`: how many
    others there are."""

    what: str
    where: str
    remedy: str
    rows: tuple[RowProblem, ...] = ()
    more_rows: int = 0


class Refused(Exception):
    """A request that is not carried out, and what it is answered. Retriable where `headers` has Retry-After."""

    def __init__(self, status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {problem.what}")
        self.status = status
        self.problem = problem
        self.headers = headers or {}


def encode_problem(problem: Problem) -> bytes:
    """JSON bytes."""
    return msgspec.json.encode(problem)


def refusal(status: int, what: str, where: str, remedy: str, *, retry_after: int | None = None) -> Refused:
    """A refusal without rows; `retry_after` in seconds."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Refused(status, Problem(what=what, where=where, remedy=remedy), headers)


def told(rows: Sequence[RowProblem]) -> tuple[tuple[RowProblem, ...], int]:
    """The rows that an answer names, and how many it leaves out."""
    return tuple(rows[:ROWS_TOLD]), max(0, len(rows) - ROWS_TOLD)
