"""The SQL of a version, run in the schema of the pipeline that is migrated."""

from importlib import resources
from typing import LiteralString, cast

from alembic import context, op
from psycopg import sql

from schemas.roles import OWNER, READER, WRITER
from schemas.topics import TOPICS, topic_name


def run_script(name: str) -> None:
    """Run `stream_apps/sql/<name>.sql`. In it {schema}, {owner}, {writer} and {reader} are identifiers; {schema_name},
    and a topic's name with _ for -, as {drift_alerts}, are texts: the latter its full name."""
    pipeline = context.config.attributes["pipeline"]
    topics = {topic.name.replace("-", "_"): sql.Literal(topic_name(pipeline, topic)) for topic in TOPICS}
    roles = {"owner": OWNER, "writer": WRITER, "reader": READER}
    names = {"schema": pipeline} | roles
    texts = {"schema_name": sql.Literal(pipeline)} | topics
    text = resources.files("stream_apps").joinpath(f"sql/{name}.sql").read_text("utf-8")
    statements = sql.SQL(cast("LiteralString", text)).format(
        **{key: sql.Identifier(value) for key, value in names.items()}, **texts)
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("alembic gives no connection: versions run through `migrate` only")
    connection.execute(statements)
