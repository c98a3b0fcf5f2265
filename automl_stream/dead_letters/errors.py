"""Why nothing was listed, shown or sent. Each message is one sentence: what, where, what to do.

DeadLettersError
├── UnknownSource      no dead letter has this source; not retriable
└── NotConfirmed       Kafka did not confirm a replayed event; retriable: what was confirmed is not sent again
"""


class DeadLettersError(Exception):
    """The command cannot go on."""


class UnknownSource(DeadLettersError):
    """No dead letter has this source."""


class NotConfirmed(DeadLettersError):
    """A replayed event may or may not be in Kafka; retriable: the next replay looks."""
