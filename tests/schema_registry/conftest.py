"""A real registry for the tests of this folder."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.schema_registry.apicurio import Apicurio


@pytest.fixture(scope="package")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    with closing(Apicurio(tmp_path_factory.mktemp("registry"))) as apicurio:
        yield apicurio
