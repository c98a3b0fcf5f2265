"""What a folder's tests share ends with the folder."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SHARING = [path for path in TESTS.rglob("conftest.py") if 'scope="package"' in path.read_text("utf-8")]


@pytest.mark.parametrize("conftest", SHARING, ids=lambda path: path.parent.name)
def test_a_fixture_of_a_package_lies_in_a_package(conftest: Path) -> None:
    """Else pytest keeps it to the end of the session: its services, and the event loop of its browser."""
    folders = [conftest.parent, *conftest.parent.parents]
    for folder in folders[:folders.index(TESTS) + 1]:
        assert (folder / "__init__.py").exists(), f"{folder.name} needs an __init__.py"
