"""The error of a command that was called wrongly: exit code 2."""


class WrongUse(Exception):
    """An option, file or variable is wrong or missing; the message says which and what is allowed."""
