"""Why nothing was shown. Each message is one sentence: what, where, what to do.

AuditError
├── UnknownRow      the audit has no row of that place; not retriable
└── UnknownEvent    no prediction of that event is stored; not retriable
"""


class AuditError(Exception):
    """The command cannot go on."""


class UnknownRow(AuditError):
    """The audit has no row of that place."""


class UnknownEvent(AuditError):
    """No prediction of that event is stored."""
