"""The command `grafana push`. Exit codes: 0 all is as the files say, 1 Grafana did not take it, 2 wrong use.
What it runs is loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.json_document import print_json
from automl_stream.local_stack.options import Json

if TYPE_CHECKING:
    from grafana.push import Chosen
    from grafana.server import Grafana

PrometheusName = Annotated[str, typer.Option(help="Prometheus data source to open with; else Grafana's choice.")]
PostgresName = Annotated[str, typer.Option(help="PostgreSQL data source to open with; else Grafana's choice.")]
DocsAddress = Annotated[str, typer.Option(help="Where the documentation is served: panels link to it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def add_commands(app: typer.Typer) -> None:
    """Add the group `grafana`."""
    grafana = typer.Typer(no_args_is_help=True, help="The dashboards, in a Grafana.")
    grafana.callback()(lambda: None)  # a group of one command stays a group
    grafana.command("push")(push_dashboards)
    app.add_typer(grafana, name="grafana")


def push_dashboards(prometheus: PrometheusName = "", postgres: PostgresName = "", docs: DocsAddress = "", *,
                    dry_run: DryRun = False, as_json: Json = False) -> None:
    """Make or update folder and dashboards in the Grafana at GRAFANA_URL, as the service account of GRAFANA_TOKEN."""
    from grafana.push import push
    from grafana.server import Grafana, access
    from grafana.shipped import shipped

    grafana = Grafana(access(os.environ))
    chosen = _chosen(grafana, prometheus, postgres, docs)
    outcomes = []
    for outcome in push(grafana, shipped(), chosen, dry_run=dry_run):
        outcomes.append(outcome)
        if not as_json:
            typer.echo(f"{'would be ' if dry_run else ''}{outcome.done}: {outcome.kind} {outcome.title}")
    if as_json:
        print_json(outcomes)


def _chosen(grafana: "Grafana", prometheus: str, postgres: str, docs: str) -> "dict[str, Chosen]":
    from grafana.push import Chosen, data_source

    chosen = {}
    if prometheus:
        chosen["prometheus"] = data_source(grafana, prometheus, "prometheus")
    if postgres:
        chosen["postgres"] = data_source(grafana, postgres, "grafana-postgresql-datasource", "postgres")
    if docs:
        chosen["docs"] = Chosen(text=docs.rstrip("/"), value=docs.rstrip("/"))
    return chosen
