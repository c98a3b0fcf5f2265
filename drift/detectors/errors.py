"""What can go wrong with detectors. None is worth a retry: the same input fails again."""

from drift.errors import DriftError
from schemas.pipeline import PipelineError


class DetectorError(DriftError):
    """A detector cannot be made, or cannot work with what it is given."""


class DetectorsUnavailable(DetectorError, PipelineError):
    """The pipeline asks for detectors, and their library is not installed."""


class LossRefused(DetectorError):
    """A detector of errors was given a loss that is neither 0 nor 1."""


class OffsetError(DetectorError):
    """A loss does not follow the one before it."""
