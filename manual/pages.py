"""Which pages there are."""

from pathlib import Path

from manual import commands, configuration, environment, http_doors, messages, metrics, tables, topics
from manual.listing import contents

DOCS = Path(__file__).parents[1] / "docs"
REFERENCE = (commands, configuration, environment, http_doors, messages, metrics, tables, topics)


def pages() -> dict[str, str]:
    """The text of each page, by its path below docs/."""
    reference = {f"reference/{module.__name__.rpartition('.')[2].replace('_', '-')}.md": module.page()
                 for module in REFERENCE}
    return reference | {
        "decisions/README.md": contents(DOCS / "decisions", "Decisions",
                                        "One short record for each decision that a successor would question."),
    }
