"""The contents of a folder of pages."""

from pathlib import Path


def contents(folder: Path, title: str, introduction: str) -> str:
    """A page that links every other one of the folder by its heading, in the order of their names."""
    lines = [f"- [{heading(page)}]({page.name})\n" for page in sorted(folder.glob("*.md")) if page.name != "README.md"]
    return f"# {title}\n\n{introduction}\n\n{''.join(lines)}"


def heading(page: Path) -> str:
    """The first line of a page, without its mark."""
    return page.read_text("utf-8").partition("\n")[0].removeprefix("# ")
