"""Why nothing could be judged. Each message is one sentence: what, where, what to do.

VerifyError
├── NoAddress             neither the environment nor a running stack names a server; not retriable
└── DatabaseUnavailable   PostgreSQL does not answer; retriable
"""


class VerifyError(Exception):
    """Nothing could be judged."""


class NoAddress(VerifyError):
    """Where to look is not known."""


class DatabaseUnavailable(VerifyError):
    """PostgreSQL did not answer; retriable."""
