"""One stack for all tests."""

from collections.abc import Iterator

import pytest

from tests.grafana.live.stack import Running, running_stack


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_stack(tmp_path_factory.mktemp("up")) as stack:
        yield stack
