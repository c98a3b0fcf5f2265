"""What can go wrong between a pipeline and its schema registry. Every message says what, where, and what to do.

EncodingUnavailable   the pipeline's encoding cannot be used as things are; not retriable
RegistryAway          the registry does not answer, or not sensibly; says nothing about an event; retriable
"""

from schemas.pipeline import PipelineError


class EncodingUnavailable(PipelineError):
    """No registry is named, the extra is not installed, or the registry refuses the pipeline's schema."""


class RegistryAway(Exception):
    """The registry does not answer; whoever asked waits or gives up, and loses nothing."""
