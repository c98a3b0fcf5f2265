"""The roles of a pipeline's tables in PostgreSQL: cluster-wide names, the same for every pipeline.

A login of a deployment is a member of one of them; nobody logs in as the owner.
"""

OWNER = "automl_stream_owner"
"""Owns schemas, tables and functions, and migrates."""
WRITER = "automl_stream_writer"
"""What the services are: writes rows, changes no table, and can only add to the audit."""
READER = "automl_stream_reader"
"""Analysts and auditors: reads everything, writes nothing."""
