"""Why nothing could be judged. Each message is one sentence: what, where, what to do.

VerifyError
├── NoAddress             neither the environment nor a running stack names a server; not retriable
├── MissingTopic          the pipeline's topics do not exist; not retriable: create them first
├── KafkaUnavailable      Kafka does not answer; retriable
└── DatabaseUnavailable   PostgreSQL does not answer; retriable
"""


class VerifyError(Exception):
    """Nothing could be judged."""


class NoAddress(VerifyError):
    """Where to look is not known."""


class MissingTopic(VerifyError):
    """A topic of the pipeline does not exist."""


class KafkaUnavailable(VerifyError):
    """Kafka did not answer in time; retriable."""


class DatabaseUnavailable(VerifyError):
    """PostgreSQL did not answer; retriable."""
