"""What `automl-stream status` tells."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from automl_stream.local_stack.processes import ProcessRecord, read_state, resident_bytes

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1024**2


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One service: pid, whether it lives, its restarts, resident bytes with descendants, address without secrets."""

    name: str
    pid: int
    alive: bool
    restarts: int
    rss_bytes: int
    address: str | None


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The stack: ``running`` if its parent and all services live. Orphans are services without a parent."""

    running: bool
    parent: int | None
    services: tuple[ServiceStatus, ...]


def read_status(home: Path) -> StackStatus:
    """Look at what runs in home."""
    state = read_state(home)
    if state is None:
        return StackStatus(running=False, parent=None, services=())
    services = tuple(_service(record, state.addresses.get(record.name)) for record in state.children)
    parent = state.parent.pid if state.parent.process() else None
    running = parent is not None and bool(services) and all(service.alive for service in services)
    return StackStatus(running=running, parent=parent, services=services)


def _service(record: ProcessRecord, address: str | None) -> ServiceStatus:
    alive = record.process() is not None
    return ServiceStatus(
        name=record.name,
        pid=record.pid,
        alive=alive,
        restarts=record.restarts,
        rss_bytes=resident_bytes(record.pid) if alive else 0,
        address=address,
    )


def render(status: StackStatus, *, as_json: bool) -> None:
    """Print the status for a machine or for a person."""
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(status)).decode() + "\n")
        return
    console = Console(soft_wrap=True)
    if status.parent is None:
        console.print("Nothing runs." if not status.services else "The parent was killed; `up` or `down` cleans up.")
    if status.services:
        table = Table("service", "pid", "state", "restarts", "memory", "address")
        for service in status.services:
            state = "up" if service.alive else "[red]down[/red]"
            memory = f"{service.rss_bytes / MEBIBYTE:.0f} MiB"
            table.add_row(service.name, str(service.pid), state, str(service.restarts), memory, service.address or "")
        console.print(table)
