"""Every key of a pipeline file."""

from manual.json_types import Schema, default, types, words
from manual.markdown import code, table
from schemas.configuration import FIXED, LIVE
from schemas.json_schema import json_schemas

INTRODUCTION = """# Configuration

A pipeline is one TOML file. What it leaves out has its default; a wrong key or value is answered with file, key, what
was found and what is allowed. A duration is a whole number and `ms`, `s`, `m`, `h` or `d`. The column 'a new version'
says who takes the key while it runs, from [`automl-stream apply`](../configuration.md): `restart` waits for the
service's next start, `never` asks for another `pipeline.name` and a bootstrap. Variables of the environment have [a
page of their own](environment.md).

"""
LISTS = ("features",)
SHAPE = ("name", "type", "optional", "default")  # of a feature: what models and rows were made with


def page() -> str:
    """The page."""
    known = types(json_schemas()["pipeline.json"])
    return INTRODUCTION + "".join(_table(name, known[_struct(schema)])
                                  for name, schema in known["Pipeline"]["properties"].items())


def _struct(schema: Schema) -> str:
    if choices := schema.get("anyOf"):
        return next(_struct(choice) for choice in choices if "$ref" in choice)
    return (schema.get("items") or schema)["$ref"].rpartition("/")[2]


def _table(name: str, schema: Schema) -> str:
    heading = f"[[{name}]]" if name in LISTS else f"[{name}]"
    rows = [(code(key), _kind(kind), "required" if key in schema.get("required", ()) else _default(kind),
             kind["description"], _taken(name, key)) for key, kind in schema["properties"].items()]
    return (f"## `{heading}`\n\n{schema['description']}\n\n"
            + table(("key", "what it may be", "default", "what it means", "a new version"), rows))


def _kind(kind: Schema) -> str:
    """TOML knows no null: what may be null may be left out."""
    return words({**kind, "anyOf": [choice for choice in kind["anyOf"] if choice.get("type") != "null"]}
                 if "anyOf" in kind else kind)


def _default(kind: Schema) -> str:
    return "absent" if kind.get("default") is None else default(kind)


def _taken(table_name: str, key: str) -> str:
    if key in FIXED.get(table_name, ()) or (table_name in LISTS and key in SHAPE):
        return "never"
    live = [service for service, keys in LIVE.items() if key in keys.get(table_name, ())]
    return live[0] if live else "restart"
