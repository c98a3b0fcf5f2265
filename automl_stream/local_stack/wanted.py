"""How many score workers each pipeline of a stack shall have: files in the home, written by `scale`, read by `up`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = "score-workers"


def read_wanted(home: Path) -> dict[str, int]:
    """Workers by pipeline; empty where no `up` runs."""
    files = (home / FOLDER).glob("*.wanted")
    return {file.stem: int(file.read_text()) for file in files}


def write_wanted(home: Path, pipeline: str, workers: int) -> None:
    """Replace a pipeline's file atomically: a reader never sees half of it."""
    partial = home / FOLDER / f"{pipeline}.partial"
    partial.write_text(str(workers))
    partial.replace(partial.with_suffix(".wanted"))


def start_wanted(home: Path, workers: Mapping[str, int]) -> None:
    """Forget what an earlier stack wanted; without `workers` nothing can be scaled any more."""
    (home / FOLDER).mkdir(exist_ok=True)
    for file in (home / FOLDER).iterdir():
        file.unlink(missing_ok=True)
    for pipeline, number in workers.items():
        write_wanted(home, pipeline, number)
