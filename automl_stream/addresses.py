"""The addresses of what runs, as a table; and the first page of them, opened in a browser."""

from __future__ import annotations

import webbrowser
from typing import TYPE_CHECKING

from automl_stream.local_stack.stack import mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PURPOSES = {
    "console": "what the pipeline does, and what you may do about it",
    "grafana": "dashboards",
    "prometheus": "metrics, rules and alerts",
    "mlflow": "models and their runs",
    "ingestion": "events and labels in, over HTTP; its page is at /docs",
    "prediction": "answers over HTTP; its page is at /docs",
    "kafka": "brokers",
    "postgres": "predictions, decisions and the audit",
}
"""What is where, by the last part of its name; a browser opens the first that is there."""


def grafana_address(environment: Mapping[str, str]) -> dict[str, str]:
    """Grafana's address by its name, where the environment names one: it is never started here."""
    url = environment.get("GRAFANA_URL")
    return {"grafana": mask(url)} if url else {}


def show_addresses(addresses: Mapping[str, str], home: Path, token_file: str | None) -> None:
    """Print what is where."""
    from rich.console import Console  # noqa: PLC0415  (keeps --help fast)
    from rich.table import Table  # noqa: PLC0415

    table = Table("service", "address", "what is there")
    for name, address in addresses.items():
        table.add_row(name, address, PURPOSES[_last(name)])
    console = Console(soft_wrap=True)
    console.print(table)
    if token_file:
        console.print(f"The token of the console and of the HTTP doors is in {token_file}.")
    if "prometheus" not in addresses:
        console.print("Prometheus is not installed: with it, alerts are evaluated here (`apt-get install prometheus`).")
    console.print(f"Data and logs are in {home}. MLflow's pages may take half a minute. Ctrl-C ends everything.")


def open_first_page(addresses: Mapping[str, str]) -> None:
    """Open the most telling page that is there in the user's browser."""
    by_purpose = {_last(name): address for name, address in reversed(list(addresses.items()))}
    webbrowser.open(next(by_purpose[name] for name in PURPOSES if name in by_purpose))


def _last(name: str) -> str:
    return name.rpartition("-")[2]
