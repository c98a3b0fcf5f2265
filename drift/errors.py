"""The package's one tree of errors. None is worth a retry: the same input fails again."""


class DriftError(ValueError):
    """Something given to `drift` cannot be worked with."""


class ProfileError(DriftError):
    """A reference profile cannot be built or read."""


class CountsError(DriftError):
    """Rows or counts do not fit the profile they are used with."""
