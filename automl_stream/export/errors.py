"""Why nothing was exported. The message is one sentence: what, where, what to do."""


class TargetTaken(Exception):
    """The directory holds something. Not retriable."""
