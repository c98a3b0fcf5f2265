"""The documentation site: every link leads somewhere, and a reader's browser asks no other host for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FETCHED = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"?(https?:[^\"\s>]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    built = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", directory],
                           cwd=TOP, env=os.environ | {"NO_MKDOCS_2_WARNING": "true"}, check=False, capture_output=True,
                           text=True)
    assert built.returncode == 0, built.stderr
    return directory


def test_the_site_is_built_without_a_link_that_leads_nowhere(site: Path) -> None:
    assert (site / "index.html").is_file()


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert {found for page in pages for found in FETCHED.findall(page.read_text("utf-8"))} == set()
