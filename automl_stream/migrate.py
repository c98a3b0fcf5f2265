"""The command `migrate`. What it runs is loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
from pathlib import Path
from typing import Annotated

import typer

from automl_stream.local_stack.options import DEFAULT_HOME, Home


def add_command(app: typer.Typer) -> None:
    """Add `migrate`."""
    app.command("migrate")(migrate_tables)


def migrate_tables(
    pipelines: Annotated[list[Path], typer.Argument(help="Pipeline files.")],
    home: Home = DEFAULT_HOME,
) -> None:
    """Bring the tables of pipelines in PostgreSQL to the newest version. `up` and `demo` do it by themselves."""
    from automl_stream.database import database
    from automl_stream.services import load_pipelines
    from stream_apps.migrations.migrate import migrate
    from stream_apps.storage import SCHEMA_VERSION

    loaded = load_pipelines(pipelines)
    with database(home, os.environ) as url:
        for pipeline in loaded.values():
            changed = migrate(url, pipeline.name)
            typer.echo(f"{pipeline.name}: {'now' if changed else 'already'} at version {SCHEMA_VERSION}")
