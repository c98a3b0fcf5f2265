"""What must hold, and whether it did."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, to_builtins

from bench.policies import NAME, stored_as
from bench.result import Machine, Result, Table, command_line, describe_machine, today


class Must(Struct, frozen=True, kw_only=True):
    """One line of acceptance.md: `limit` and `found` as a reader sees them."""

    what: str
    limit: str
    found: str
    met: bool


def machine() -> Machine:
    """Where it is measured; ask before the work begins."""
    return describe_machine("no broker")


def result(part: str, title: str, musts: Sequence[Must], tables: Sequence[Table], raw: dict[str, Any],
           measured_on: Machine) -> Result:
    """The stored result of one part."""
    return Result(
        name=stored_as(part), title=title, summary=summary(musts), command=command_line(NAME),
        measured_at=today(), machine=measured_on, figures={"musts": to_builtins(musts)} | raw,
        tables=[table(musts), *tables], raw=raw)


def table(musts: Sequence[Must]) -> Table:
    """A row a must."""
    return Table(title="What must hold", columns=("what", "must", "found", ""),
                 rows=[(each.what, each.limit, each.found, "met" if each.met else "**missed**") for each in musts])


def summary(musts: Sequence[Must]) -> str:
    """How many are met, and which are not."""
    missed = [f"{each.what} ({each.found}; must: {each.limit})" for each in musts if not each.met]
    if not missed:
        return f"All {len(musts)} musts are met."
    return f"{len(musts) - len(missed)} of {len(musts)} musts are met. Missed: {'; '.join(missed)}."
