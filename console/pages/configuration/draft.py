"""A changed definition: values into the text of its file, and what would become of it. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

import tomlkit
from msgspec import Struct
from tomlkit.exceptions import TOMLKitError

from schemas.configuration import FIXED, LIVE, effects, refusal, refusals
from schemas.pipeline import UNITS_MS, Duration, Pipeline, PipelineError, parse_pipeline


class Key(Struct, frozen=True, kw_only=True):
    """A key of the definition that running services take, and its value as a person writes it."""

    table: str
    name: str
    text: str


class Draft(Struct, frozen=True, kw_only=True):
    """A changed text. `problem`: why it is refused; `effects`: of each change, who takes it and when."""

    text: str
    problem: str | None = None
    effects: Sequence[str] = ()


def live_keys(pipeline: Pipeline) -> Iterator[Key]:
    """Keys that running services take, table by table."""
    for tables in LIVE.values():
        for table, names in tables.items():
            for name in names:
                yield Key(table=table, name=name, text=value_text(getattr(getattr(pipeline, table), name)))


def fixed_keys(pipeline: Pipeline) -> Iterator[Key]:
    """Keys that never change under the same name."""
    for table, names in FIXED.items():
        for name in names:
            yield Key(table=table, name=name, text=value_text(getattr(getattr(pipeline, table), name)))


def changed(text: str, now: Pipeline, key: tuple[str, str], value: str) -> str:
    """The text with another value of a key; its comments and its order stay. `now`: has a value of the same type.

    Raises:
        PipelineError: where the text is not TOML.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise PipelineError(f"this is not TOML: {error}") from error
    table, name = key
    document.setdefault(table, tomlkit.table())[name] = _value(value.strip(), getattr(getattr(now, table), name))
    return document.as_string()


def judge(text: str, now: Pipeline, *, published: bool) -> Draft:
    """What becomes of a text in place of the definition `now`; `published`: a version of it is on record."""
    try:
        wanted = parse_pipeline(text, "the definition")
    except PipelineError as error:
        return Draft(text=text, problem=str(error).removeprefix("the definition: "))
    if wanted.name != now.name:
        return Draft(text=text, problem=f"pipeline.name is '{wanted.name}', and this page is about '{now.name}'; give "
                                        "another pipeline a file of its own")
    if published and (found := refusals(now, wanted)):
        return Draft(text=text, problem=refusal(now.name, found))
    return Draft(text=text, effects=list(effects(now, wanted)))


def value_text(value: Any) -> str:
    """A value as a person writes it: 10m, 250, all, 0.05; of several, with commas between."""
    if isinstance(value, Duration):
        unit = next(unit for unit in reversed(UNITS_MS) if value % UNITS_MS[unit] == 0) if value else "s"
        return f"{value // UNITS_MS[unit]}{unit}"
    if isinstance(value, tuple):
        return ", ".join(map(value_text, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _value(text: str, like: Any) -> Any:
    """The value in the type of the one before it; what has none stays text, and is refused by name."""
    if isinstance(like, tuple):
        return [int(part) if part.isdecimal() else part for part in map(str.strip, text.split(",")) if part]
    if isinstance(like, (Duration, str)) or like is None:
        return text
    try:
        return int(text) if isinstance(like, int) else float(text)
    except ValueError:
        return text
