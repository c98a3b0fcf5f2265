"""Views for analysts."""

from stream_apps.migrations.script import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them."""
    run_script("views")
