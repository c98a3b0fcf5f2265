"""Every message on Kafka, from the JSON Schemas."""

from inspect import cleandoc

from manual.json_types import Schema, fields, types
from schemas.json_schema import json_schemas
from schemas.topics import TOPICS

INTRODUCTION = """# Messages

JSON; times are epoch milliseconds. Who reads ignores fields that it does not know, and fills in the default of one that
is missing. The JSON Schemas are in `schemas/json/`; that of an event's `features` follows from the pipeline file. Parts
of messages stand at the end.

"""
ELSEWHERE = ("Pipeline",)  # not a message; see configuration.py


def page() -> str:
    """The page: messages in the order of the topics, then their parts."""
    documents = list(map(types, json_schemas().values()))
    messages = {next(iter(known)): next(iter(known.values())) for known in documents}
    parts = {name: part for known in documents if next(iter(known)) not in ELSEWHERE
             for name, part in known.items() if name not in messages}
    told = [(name, messages[name]) for name in sorted(messages.keys() - set(ELSEWHERE), key=_place)]
    return (INTRODUCTION + "".join(_section(2, *message) for message in told) + "## Parts\n\n"
            + "".join(_section(3, *part) for part in sorted(parts.items())))


def _place(name: str) -> tuple[int, str]:
    places = [number for number, topic in enumerate(TOPICS) if name in topic.message.split(" | ")]
    return (places[0] if places else len(TOPICS), name)


def _section(level: int, name: str, schema: Schema) -> str:
    topics = [topic.name for topic in TOPICS if name in topic.message.split(" | ")]
    on = f"On `{topics[0]}`. " if topics else ""
    return f"{'#' * level} {name}\n\n{on}{cleandoc(schema['description'])}\n\n{fields(schema)}"
