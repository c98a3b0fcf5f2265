"""The command line: every command, its arguments and options."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

from automl_stream.cli import app
from manual.markdown import code, table

INTRODUCTION = """# Commands

`automl-stream` has these commands. Exit codes are 0 where all is well, 1 where something was found wanting or did not
answer, 2 for wrong use. An option that names a variable takes its value from the environment where it is not given.

"""
WORDS = {bool: "flag", float: "number", int: "whole number", Path: "path", str: "text"}


def page() -> str:
    """The page."""
    return INTRODUCTION + "".join(_section(name, command) for name, command in commands())


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its words, such as `models list`."""
    yield from _below(get_command(app), ())


def _below(group: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from _below(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def _section(name: str, command: Any) -> str:
    parameters = [parameter for parameter in command.params if parameter.name != "help"]
    usage = " ".join(_argument(parameter) for parameter in parameters if parameter.param_type_name == "argument")
    rows = [(code(_argument(p) if p.param_type_name == "argument" else ", ".join([*p.opts, *p.secondary_opts])),
             _kind(p), _default(p), p.help or "") for p in parameters]
    told = table(("argument or option", "what it is", "default", "what it means"), rows) if rows else ""
    return f"## {name}\n\n`automl-stream {f'{name} {usage}'.strip()}`: {command.help}\n\n{told}"


def _argument(parameter: Any) -> str:
    many = "..." if parameter.nargs != 1 else ""
    name = f"{parameter.name.upper()}{many}"
    return name if parameter.required else f"[{name}]"


def _kind(parameter: Any) -> str:
    kind = parameter.type_descriptor.annotation
    of = get_args(kind)
    word = WORDS.get(kind) or (WORDS.get(of[0]) if of else None) or " or ".join(map(code, map(str, of)))
    return f"{word}, {code(parameter.envvar)}" if parameter.envvar else word


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    return "" if parameter.default in (None, "", False) else code(str(parameter.default))
