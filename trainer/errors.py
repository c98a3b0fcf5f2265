"""The package's one tree of errors; each says what, where and what to do.

TrainerError
├── AlreadyBootstrapped   a model serves already; not retriable
├── UnusableRows          the rows cannot train a model; not retriable
├── ParityError           the exported file does not answer like the fitted model; not retriable
├── BadArtifact           announced bytes are missing or differ; not retriable
├── UnknownFamily         a recipe of another version of the trainer; not retriable
├── UnknownDecision       no such decision, or it announced no model; not retriable
├── MissingLibrary        LightGBM's system library is not installed; not retriable
├── DefinitionChanged     the features are no longer those of the serving model; not retriable
├── MissingSetting        the environment lacks a setting; not retriable
├── RegistryUnavailable   MLflow does not answer; retriable
├── LostLeadership        another trainer leads; end the process and queue up again
├── LostSlot              another announcement took the slot; what was to be announced is void
└── KafkaUnavailable      Kafka does not answer or confirm; end the process and start again
"""


class TrainerError(Exception):
    """Something the trainer cannot go on with."""


class AlreadyBootstrapped(TrainerError):
    """The pipeline has an accepted model; bootstrap trains only the first one."""


class UnusableRows(TrainerError):
    """These rows cannot train a model."""


class ParityError(TrainerError):
    """The ONNX file answers differently from the fitted model."""


class BadArtifact(TrainerError):
    """The announced bytes are missing or have another SHA-256."""


class UnknownFamily(TrainerError):
    """A recipe names a family that this version cannot fit."""


class UnknownDecision(TrainerError):
    """No decision of that id announced a model."""


class MissingLibrary(TrainerError):
    """A system library is missing."""


class DefinitionChanged(TrainerError):
    """The pipeline's features are not those that the log and the serving model were made with."""


class MissingSetting(TrainerError):
    """The environment lacks a setting."""


class RegistryUnavailable(TrainerError):
    """MLflow does not answer; retriable."""


class LostLeadership(TrainerError):
    """Another trainer holds the partition that decides who trains."""


class LostSlot(TrainerError):
    """Another announcement took the slot; what was gated against the former champion is void."""


class KafkaUnavailable(TrainerError):
    """Kafka did not answer or did not confirm in time."""
