"""Why nobody was erased. Each message is one sentence: what, where, what to do.

ErasureError
├── NotAllowed   the login may not act as the owner of the tables; not retriable
└── Away         PostgreSQL does not answer, or has no tables of the pipeline; retriable
"""


class ErasureError(Exception):
    """Nothing was erased."""


class NotAllowed(ErasureError):
    """The login may not act as the owner of the tables."""


class Away(ErasureError):
    """PostgreSQL does not answer, or has no tables of the pipeline."""
