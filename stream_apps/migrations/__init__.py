"""The tables of a pipeline, version by version: `migrate` brings a schema to the newest, each version is a file of
`versions` that runs the SQL file of its name in `stream_apps/sql`."""
