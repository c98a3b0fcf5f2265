"""Tables and views of PostgreSQL, from the SQL that makes them."""

import re
from importlib import resources

from manual.markdown import code, table

INTRODUCTION = """# Tables and views

A pipeline has a schema of its name; `automl-stream migrate` makes it. Who may do what is in [the record](../record.md),
questions to ask are [for analysts](../analysts.md). Times without a type of their own are epoch milliseconds.

"""
MADE = re.compile(r"((?:^-- .*\n)+)?^create (table|view) \{schema\}\.(\w+)((?:.|\n)*?);$", re.MULTILINE)
COLUMN = re.compile(r"^  (?!primary key)(\w+) (.+?),?(?: -- (.*))?$", re.MULTILINE)


def page() -> str:
    """The page."""
    files = resources.files("stream_apps").joinpath("sql")
    made = [match.groups() for name in ("tables", "audit", "views")
            for match in MADE.finditer(files.joinpath(f"{name}.sql").read_text("utf-8"))]
    return INTRODUCTION + "".join(_section(*one) for one in made)


def _section(comment: str | None, kind: str, name: str, body: str) -> str:
    said = " ".join(line.removeprefix("-- ") for line in (comment or "").splitlines())
    if kind == "table":
        told = table(("column", "type", "note"), [(code(column), code(type_), note) for column, type_, note
                                                  in COLUMN.findall(body)])
    else:
        select = body.removeprefix(" as\n").replace("{schema}.", "").replace("{{}}", "{}")
        told = f'```sql title="the view"\n{select}\n```\n\n'
    return f"## {name}\n\nA {kind}. {said}\n\n{told}"
