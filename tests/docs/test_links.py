"""README, changelog and pages link what is there, and the code names pages that are there."""

import re
from pathlib import Path

import pytest

from tests.docs.reading import DOCS, FENCED, PAGES, TOP, named

LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")
PAGE = re.compile(r"docs/[\w./-]+\.(?:md|svg|png)")


def anchors(page: Path) -> set[str]:
    """Of each heading, as GitHub and the site make it."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target, anchor in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=named)
def test_a_page_links_nothing_outside_the_site(page: Path) -> None:
    targets = [target for target, _ in LINK.findall(FENCED.sub("", page.read_text("utf-8"))) if target]
    assert [target for target in targets if not (page.parent / target).resolve().is_relative_to(DOCS)] == []


def test_a_page_that_a_file_names_exists() -> None:
    packages = [folder for folder in TOP.iterdir() if (folder / "__init__.py").exists()]
    files = [*PAGES, *(file for package in packages for file in package.rglob("*.py"))]
    said = {(named(file), name) for file in files for name in PAGE.findall(file.read_text("utf-8"))}
    assert {(file, name) for file, name in said if not (TOP / name).exists()} == set()
