"""What alembic runs: the versions that a schema lacks, on the connection and in the transaction of `migrate`."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table_schema=attributes["pipeline"])
with context.begin_transaction():
    context.run_migrations()
