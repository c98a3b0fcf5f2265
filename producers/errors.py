"""What can go wrong on the way into Kafka. Every message says what, where, and what to do."""


class ProducerError(Exception):
    """Root: nothing more is sent."""


class UnusableFile(ProducerError):
    """The file or the pipeline's [replay] must be changed first. Not retriable."""


class UnknownScenario(ProducerError):
    """The scenario or one of its changes is not offered. Not retriable."""


class DeliveryFailed(ProducerError):
    """The broker did not confirm a record, or cannot be reached. Retriable with --resume."""


class NothingToResume(ProducerError):
    """The topics hold no unfinished replay of this source. Not retriable: start without --resume."""
