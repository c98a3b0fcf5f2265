"""The audit of a pipeline: what was decided and ordered, whether anybody changed it, and why a prediction was made.

Read in this order: `command` (what the user asks) → `rows` (PostgreSQL) and `heads` (Kafka) → `proof` (whether they
agree), `listing`, `explaining`.
"""
