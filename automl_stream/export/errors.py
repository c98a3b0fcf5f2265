"""Why nothing was exported. Each message is one sentence: what, where, what to do.

ExportError
├── TargetTaken   the directory holds something; not retriable
└── ExportAway    PostgreSQL does not answer, or has no tables of the pipeline; retriable
"""


class ExportError(Exception):
    """The export cannot go on."""


class TargetTaken(ExportError):
    """The directory holds something."""


class ExportAway(ExportError):
    """PostgreSQL does not answer, or has no tables of the pipeline."""
