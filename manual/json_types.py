"""JSON Schemas of ours, in words and tables."""

import json
from collections.abc import Mapping
from typing import Any

from manual.markdown import code, table
from schemas.json_schema import PATTERNS
from schemas.pipeline import Duration, FalseAlarmBudget, ImplicitLabel

Schema = Mapping[str, Any]

FORMS = {PATTERNS[Duration]: "duration, such as `10m`", PATTERNS[ImplicitLabel]: "`DURATION -> CLASS`",
         PATTERNS[FalseAlarmBudget]: "`1 in NUMBER windows` or `1 in DURATION`"}
WORDS = {"array": "list", "boolean": "true or false", "integer": "whole number", "null": "null", "number": "number",
         "object": "object", "string": "text"}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most", "exclusiveMaximum": "under"}


def types(document: bytes) -> dict[str, Schema]:
    """Every type in a JSON Schema of ours by name, the one that it is of first."""
    schema = json.loads(document)
    first = schema["$ref"].rpartition("/")[2]
    return {first: schema["$defs"][first], **schema["$defs"]}


def fields(schema: Schema) -> str:
    """Table of an object's fields; a column for what they mean where any of them says it."""
    required = schema.get("required", ())
    rows = [(code(name), words(kind), "required" if name in required else default(kind), kind.get("description", ""))
            for name, kind in schema["properties"].items()]
    width = 4 if any(row[3] for row in rows) else 3
    return table(("field", "what it is", "default", "what it means")[:width], [row[:width] for row in rows])


def words(schema: Schema) -> str:
    """What a value may be; another type is named, with a link to its heading."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(map(words, sorted(choices, key=lambda choice: choice.get("type") == "null")))
    if "enum" in schema:
        return " or ".join(code(json.dumps(value)) for value in schema["enum"])
    if "pattern" in schema:
        return FORMS[schema["pattern"]]
    bounds = "".join(f" {said} {schema[bound]}" for bound, said in BOUNDS.items() if bound in schema)
    parts = schema.get("items") or schema.get("additionalProperties")
    return WORDS[schema["type"]] + bounds + (f" of {words(parts)}" if isinstance(parts, dict) else "")


def default(schema: Schema) -> str:
    """What stands where nothing is said; nothing where the field is then absent."""
    return code(json.dumps(schema["default"], ensure_ascii=False)) if "default" in schema else ""
