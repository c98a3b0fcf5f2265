"""Why nobody was erased. The message is one sentence: what, where, what to do."""


class NotAllowed(Exception):
    """The login may not act as the owner of the tables; nothing was erased. Not retriable."""
