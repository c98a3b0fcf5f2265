"""A recording of a small run in which all is well."""

import pytest

from automl_stream.verify.recording import Recording

from .run import small_run


@pytest.fixture
def recording() -> Recording:
    """The recording of the small run."""
    return small_run().recording()
