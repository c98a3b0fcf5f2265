"""The ingestion API: events and labels over HTTP, answered with 2xx once Kafka has confirmed them.

Read in the order of a request: `routes`, `intake`, which puts together `batch` (rows), `readers` (events and labels),
`recent` and `sender` (Kafka); `__main__` wires them.
"""
