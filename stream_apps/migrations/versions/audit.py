"""The audit: a hash chain of what was decided and ordered."""

from stream_apps.migrations.script import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create it."""
    run_script("audit")
