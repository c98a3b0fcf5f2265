"""Why nothing was shown. Each message is one sentence: what, where, what to do.

AuditError
├── UnknownRow      the audit has no row of that place; not retriable
├── UnknownEvent    no prediction of that event is stored; not retriable
└── DatabaseAway    PostgreSQL does not answer, or has no tables of the pipeline; retriable
"""


class AuditError(Exception):
    """The command cannot go on."""


class UnknownRow(AuditError):
    """The audit has no row of that place."""


class UnknownEvent(AuditError):
    """No prediction of that event is stored."""


class DatabaseAway(AuditError):
    """PostgreSQL does not answer, or has no tables of the pipeline."""
