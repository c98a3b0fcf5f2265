"""Predictions, labels, messages and what could not be stored; who may do what with them."""

from stream_apps.migrations.script import run_script

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    run_script("tables")
