"""What can go wrong with detectors. None is worth a retry: the same input fails again."""

from drift.errors import DriftError


class DetectorError(DriftError):
    """A detector cannot be made, or cannot work with what it is given."""


class DetectorsUnavailable(DetectorError):
    """The detectors' library is not installed."""


class LossRefused(DetectorError):
    """A loss is neither 0 nor 1, and nothing says which losses are errors."""


class OffsetError(DetectorError):
    """A loss does not follow the one before it."""
