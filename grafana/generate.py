"""The content of the dashboards' files, from code."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.data_quality import data_quality
from grafana.drift import drift
from grafana.health import health
from grafana.lifecycle import lifecycle
from grafana.shipped import NAMES


def contents() -> Mapping[str, bytes]:
    """Content of each file of `dashboards`, by name."""
    boards = (health(), drift(), lifecycle(), data_quality())
    return {f"{name}.json": _content(board) for name, board in zip(NAMES, boards, strict=True)}


def _content(board: Dashboard) -> bytes:
    document = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    _correct(document)
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _correct(document: dict[str, Any]) -> None:
    """What the library writes otherwise than meant: panels have no number of their own, a table has a footer where the
    schema has none since Grafana 12, every variable has the fields of an interval, links would hide in a menu."""
    for number, panel in enumerate(document["panels"], start=1):
        panel["id"] = number
        panel.get("options", {}).pop("footer", None)
    for variable in document["templating"]["list"]:
        for field in ("auto", "auto_min", "auto_count"):
            del variable[field]
    for link in _links(document):
        del link["placement"]


def _links(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from document["links"]
    for panel in document["panels"]:
        yield from panel.get("links", ())
