from manual.environment import HOLDS, readers
from manual.pages import DOCS, pages


def test_the_checked_in_reference_is_what_the_code_says() -> None:
    found = {name: (DOCS / name).read_text("utf-8") if (DOCS / name).exists() else "" for name in pages()}
    assert found == pages(), "run: make reference"


def test_there_is_no_page_of_reference_that_nothing_writes() -> None:
    assert {f"reference/{page.name}" for page in (DOCS / "reference").iterdir()} <= pages().keys()


def test_the_reference_tells_of_every_variable_that_the_code_reads() -> None:
    assert readers().keys() == HOLDS.keys(), "tell of it in HOLDS of manual/environment.py"
