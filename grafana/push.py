"""Bring the shipped dashboards into a Grafana, as often as one likes: what is there already is left."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Literal

from msgspec import Struct

from grafana.errors import GrafanaRefused
from grafana.server import Grafana

FOLDER = TITLE = "automl-stream"
NOT_OURS = {"schemaVersion"}  # Grafana raises it when it reads an older one

Done = Literal["created", "updated", "left", "provisioned"]


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one thing. `provisioned`: Grafana has it from files and takes no other word."""

    kind: Literal["folder", "dashboard"]
    title: str
    done: Done


class Chosen(Struct, frozen=True, kw_only=True):
    """What a variable shall be when a dashboard is opened: what is shown, and what is meant."""

    text: str
    value: str


def push(grafana: Grafana, dashboards: Sequence[Mapping[str, Any]], chosen: Mapping[str, Chosen], *,
         dry_run: bool) -> Iterator[Outcome]:
    """Make the folder and each dashboard, or bring them up to date; `chosen`: by the variable's name.

    With `dry_run` nothing is changed, and the outcomes are what they would be.

    Raises:
        GrafanaError: what came before stands.
    """
    there = grafana.folder(FOLDER) is not None
    if not there and not dry_run:
        grafana.make_folder(FOLDER, TITLE)
    yield Outcome(kind="folder", title=TITLE, done="left" if there else "created")
    for dashboard in dashboards:
        said = choose(dashboard, chosen)
        yield Outcome(kind="dashboard", title=said["title"], done=_push(grafana, said, dry_run=dry_run))


def data_source(grafana: Grafana, name: str, *types: str) -> Chosen:
    """The data source of this name as a variable's value.

    Raises:
        GrafanaError: when there is none, or it is of another type.
    """
    found = grafana.data_source(name)
    if found["type"] not in types:
        raise GrafanaRefused(f"data source '{name}' is of type {found['type']}; name one of type {types[0]}")
    return Chosen(text=name, value=found["uid"])


def choose(dashboard: Mapping[str, Any], chosen: Mapping[str, Chosen]) -> dict[str, Any]:
    """The dashboard, its variables set."""
    variables = [variable | _current(variable, chosen[variable["name"]]) if variable["name"] in chosen else variable
                 for variable in dashboard["templating"]["list"]]
    return {**dashboard, "templating": {"list": variables}}


def holds(found: object, said: object) -> bool:
    """Whether everything that is said stands in what was found; Grafana may add to an object, never to a list."""
    if isinstance(said, Mapping):
        return isinstance(found, Mapping) and all(name in found and holds(found[name], value)
                                                  for name, value in said.items() if name not in NOT_OURS)
    if isinstance(said, list):
        return isinstance(found, list) and len(found) == len(said) and all(map(holds, found, said))
    return found == said


def _push(grafana: Grafana, said: Mapping[str, Any], *, dry_run: bool) -> Done:
    found = grafana.dashboard(said["uid"])
    if found is None:
        if not dry_run:
            grafana.save(said, FOLDER, _message())
        return "created"
    if found["meta"].get("provisioned"):
        return "provisioned"
    if holds(found["dashboard"], said):
        return "left"
    if not dry_run:  # where somebody moved it to, it stays
        grafana.save({**said, "version": found["dashboard"].get("version")}, found["meta"].get("folderUid", FOLDER),
                     _message())
    return "updated"


def _current(variable: Mapping[str, Any], chosen: Chosen) -> dict[str, Any]:
    current = {"current": {"text": chosen.text, "value": chosen.value}}
    return {"query": chosen.value, **current} if variable["type"] == "textbox" else current


def _message() -> str:
    return f"automl-stream {version('automl-stream')}"
