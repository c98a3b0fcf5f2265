"""Every command, option and target that a page names is there."""

import re
import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from manual.commands import commands
from tests.docs.reading import PAGES, TOP, WRITTEN, command_lines, named, spans

COMMANDS = dict(commands())
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
OPTIONS = {option for command in COMMANDS.values() for parameter in command.params
           for option in (*parameter.opts, *parameter.secondary_opts) if option.startswith("-")}
OURS = re.compile(r"(?:^|[\s(])(?<!-n )(?:\.venv/bin/)?automl-stream (\w.*)")  # `kubectl -n` has it as a namespace
ENDS = {"|", ">", ";", "&&", "&", "2>&1"}  # of a command in a shell's line


def typed(line: str) -> list[str]:
    """Words of the `automl-stream` in a shell's line."""
    found = OURS.search(line)
    words = shlex.split(found[1], comments=True) if found else []
    ending = next((place for place, word in enumerate(words) if word in ENDS), len(words))
    return words[:ending]


def split_off(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the commands (`models list|show` names two), and what follows."""
    first, rest = words[0], list(words[1:])
    if first in GROUPS and rest:
        return [f"{first} {second}" for second in rest[0].split("|")], rest[1:]
    return [first] if first not in GROUPS else [], rest


LINES = [(named(page), words) for page in WRITTEN for line in command_lines(page) if (words := typed(line))]


@pytest.mark.parametrize(("page", "words"), LINES, ids=[f"{page}: {' '.join(words)}" for page, words in LINES])
def test_a_command_line_of_a_page_is_understood(page: str, words: list[str]) -> None:
    del page
    (name,), arguments = split_off(words)
    command: Any = COMMANDS[name]
    command.make_context(name, list(arguments))  # raises where an option is unknown or an argument missing


def test_there_are_command_lines() -> None:
    assert len(LINES) > 20


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_a_command_named_in_a_sentence_exists(page: Path) -> None:
    named_there = [words for span in spans(page) if (words := typed(span))]
    assert [name for words in named_there for name in split_off(words)[0] if name not in COMMANDS] == []
    assert [word for words in named_there for word in words if word.startswith("--") and word not in OPTIONS] == []


@pytest.mark.parametrize("page", WRITTEN, ids=named)
def test_an_option_named_in_a_sentence_exists(page: Path) -> None:
    options = {span.split()[0].rstrip(",") for span in spans(page) if re.match(r"--[a-z]", span)}
    assert options <= OPTIONS


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_target_and_a_program_named_on_a_page_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (TOP / "Makefile").read_text("utf-8"), re.MULTILINE))
    said = [*spans(page), *command_lines(page)]
    assert {found for line in said for found in re.findall(r"^make ([a-z]+)", line)} <= targets
    programs = {found for line in said for found in re.findall(r"python -m ([a-z_.]+)", line)}
    assert {program for program in programs if find_spec(program) is None} == set()
