"""The oracle: reads what a pipeline wrote to Kafka and PostgreSQL, recounts everything offline, names each difference.

Read in this order: `command` (what the user asks) → `loading` (Kafka and PostgreSQL into a `recording`) → `reading`
(the recording decoded) → one file a check → `verdict`.
"""
