"""The tutorial is followed word by word, then the pages' other commands are typed against the stack that it made."""

import shlex
from collections.abc import Iterator

import pytest

from tests.docs.reader import Reader
from tests.docs.reading import DOCS, TOP, blocks, named
from tests.docs.test_commands import LINES

TUTORIAL = DOCS / "GETTING_STARTED.md"
STACK, FIRST_MODEL = (block for block in blocks(TUTORIAL, "sh") if "payments" in block)
# What is not typed here, and where it is done.
ELSEWHERE = {
    "up": "the tutorial's runs",
    "demo": "tests/demo",
    "backtest": "tests/backtest",
    "dead-letters": "tests/dead_letters: there must be some",
    "migrate": "tests/stream_apps/test_migrate.py: the page names a server of its own",
    "erase": "tests/erasure: likewise",
    "reproduce": "tests/trainer/test_reproduce.py: needs an id",
    "verify": "tests/verify: after a demo",
    "export": "the tutorial's rows are of today: see below",
    "models rollback": "tests/trainer/test_operators.py: the machine's speed says whether there was another champion",
}
# Of the rest, what asks for `payments`; a path below / is one in a container.
TYPED = [(page, words) for page, words in LINES if page != named(TUTORIAL)
         and any("payments" in word for word in words) and not any(word.startswith("/") for word in words)
         and not " ".join(words).startswith(tuple(ELSEWHERE))]


pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Who has come to the tutorial's end, but for `down`."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    data, up = STACK.strip().splitlines()
    assert reader.types(data).returncode == 0
    try:
        reader.starts(up, until="Ctrl-C ends everything")
        done = reader.types(FIRST_MODEL.replace(".venv/bin/automl-stream down", ""))
        assert done.returncode == 0, done.stderr
        assert "2000 events and 2000 labels confirmed" in done.stdout
        yield reader
    finally:
        reader.leaves()


@pytest.mark.parametrize(("page", "words"), TYPED, ids=[f"{page}: {' '.join(words)}" for page, words in TYPED])
def test_a_command_of_a_page_does_what_it_is_for(reader: Reader, page: str, words: list[str]) -> None:
    done = reader.types(f"automl-stream {shlex.join(words)}")
    assert done.returncode == 0, f"{page}: {done.stderr}"


@pytest.mark.parametrize("page", ["README.md", "docs/ingestion.md", "docs/predictions.md"])
def test_a_request_of_a_page_is_answered(reader: Reader, page: str) -> None:
    requests = [block for block in blocks(TOP / page, "sh") if "curl" in block]
    assert requests
    for request in requests:
        done = reader.types(request.replace("curl ", "curl -f "))
        assert done.returncode == 0, done.stdout + done.stderr


def test_predictions_of_the_tutorial_are_exported(reader: Reader) -> None:
    done = reader.types("automl-stream export pipelines/payments.toml --out january")
    assert done.returncode == 0, done.stderr
    assert list((reader.folder / "january").glob("*.parquet"))


def test_everything_that_is_done_elsewhere_is_on_a_page() -> None:
    lines = [" ".join(words) for _, words in LINES]
    assert [name for name in ELSEWHERE if not any(line.startswith(name) for line in lines)] == []
