"""What every page has at hand: where things are, and who looks at which pipeline from where."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dash import Dash
from flask import request
from msgspec import Struct

from console.artifacts import Artifacts
from console.entry import caller
from console.live import Live
from console.logs import Logs
from console.orders import UNNAMED, Orders
from console.store import Store
from kafka_access.access import KafkaAccess
from schemas.pipeline import Pipeline, load_pipeline

ZONE_COOKIE = "zone"  # assets/browser.js sets it


class Site(Struct, frozen=True, kw_only=True):
    """The console's connections; `pipelines`: file by name."""

    pipelines: Mapping[str, Path]
    store: Store
    logs: Logs
    artifacts: Artifacts
    live: Live
    orders: Orders
    kafka: KafkaAccess

    def visit(self, path: str, search: str | None = "") -> "Visit | None":
        """Who looks at `/pipeline/page?...` now; None where there is no such pipeline."""
        name = path.strip("/").partition("/")[0]
        if name not in self.pipelines:
            return None
        return Visit(site=self, name=name, query=dict(parse_qsl((search or "").removeprefix("?"))),
                     caller=caller() or UNNAMED, zone=zone_of(request.cookies.get(ZONE_COOKIE, "")))


class Visit(Struct, frozen=True, kw_only=True):
    """One look at a pipeline. `query`: of the address; `caller`: the name of the token; `zone`: of the browser."""

    site: Site
    name: str
    query: Mapping[str, str]
    caller: str
    zone: ZoneInfo

    @property
    def file(self) -> Path:
        """The pipeline's file, which commands are given."""
        return self.site.pipelines[self.name]

    def stated(self) -> Pipeline:
        """The definition in the file; a version on `config` goes before it."""
        return _stated(self.file, self.file.stat().st_mtime_ns)

    def link(self, page: str, **query: object) -> str:
        """Address of a page of this pipeline."""
        return f"/{self.name}/{page}" + (f"?{urlencode(query)}" if query else "")


class Page(Struct, frozen=True, kw_only=True):
    """A page of a pipeline. `layout`: everything below the title, or a ConsoleError; `callbacks`: what answers."""

    slug: str
    title: str
    layout: Callable[[Visit], Any]
    callbacks: Callable[[Dash, Site], None] = lambda _app, _site: None


@lru_cache(maxsize=64)
def _stated(file: Path, _: int) -> Pipeline:
    """A file of 500 features takes a tenth of a second to read: once for each time that it was written."""
    return load_pipeline(file)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name, which a browser says; UTC where nobody knows it."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")
