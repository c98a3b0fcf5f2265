"""Why nothing was shown or ordered. Each message is one sentence: what, where, what to do.

ModelsError
├── UnknownVersion   no model of this version was ever announced; not retriable
├── NotRecorded      Kafka did not confirm the command; retriable: nothing was ordered, or once
└── NotAnswered      the command is recorded and no trainer has answered; it still will be
"""


class ModelsError(Exception):
    """The command cannot go on."""


class UnknownVersion(ModelsError):
    """No model of this version was ever announced."""


class NotRecorded(ModelsError):
    """Kafka did not confirm the command."""


class NotAnswered(ModelsError):
    """No trainer has answered in time."""
