"""What can go wrong before a door opens. Every message says what, where, and what to do."""


class UnusableSettings(Exception):
    """The environment does not say where to listen or whom to let in, or not sensibly. Not retriable."""
