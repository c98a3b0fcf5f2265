"""What can keep the console from showing or doing something.

ConsoleError
├── UnusableSettings   the environment does not say where things are; not retriable
├── Away               PostgreSQL or Kafka does not answer; retriable
└── NoTables           no migration has made the pipeline's tables, or the login may not read them; not retriable
"""


class ConsoleError(Exception):
    """The message says what, where, and what to do."""


class UnusableSettings(ConsoleError):
    """The service cannot start."""


class Away(ConsoleError):
    """What a page reads from does not answer; the page is shown again when it does."""


class NoTables(ConsoleError):
    """There is nothing to read from."""
