"""What the pages say: their fenced blocks, and the code in their sentences."""

import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
PAGES = [TOP / "README.md", TOP / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
WRITTEN = [page for page in PAGES if "benchmark" not in page.name]  # without what `bench` says of itself
FENCED = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(TOP))


def blocks(page: Path, *kinds: str) -> Iterator[str]:
    """Fenced blocks of these kinds; the empty one is a block without a kind."""
    for kind, text in FENCED.findall(page.read_text("utf-8")):
        if kind in kinds:
            yield text


def spans(page: Path) -> Iterator[str]:
    """Code within sentences; a line's end in it is a space."""
    for span in re.findall(r"`([^`]+)`", FENCED.sub("", page.read_text("utf-8"))):
        yield " ".join(span.split())


def command_lines(page: Path) -> Iterator[str]:
    """Lines that a reader would type: of shell blocks all, of a console's those behind `$`; continued ones are one."""
    for block in blocks(page, "sh"):
        yield from block.replace("\\\n", " ").splitlines()
    for block in blocks(page, "", "console"):
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))
