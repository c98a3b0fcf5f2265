"""The golden set: an operator's trusted labelled rows, read from the file that the pipeline names."""

from pathlib import Path

from producers.errors import UnusableFile
from producers.labelled import labelled_rows
from producers.rows import Row
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline


def read_golden(pipeline: Pipeline, folder: Path) -> tuple[list[LabelledEvent], str] | None:
    """Rows and the SHA-256 of the file `gate.golden`, which is relative to `folder`; None where none is named.

    Raises:
        UnusableFile: when it cannot be read, or one of its rows does not fit: what is trusted has no exceptions.
    """
    if pipeline.gate.golden is None:
        return None
    from producers.files import file_digest, file_rows, open_table  # noqa: PLC0415  (loads polars)

    path = folder / pipeline.gate.golden

    def left_out(row: Row, problem: str) -> None:
        raise UnusableFile(f"{path}: row {row.number} of the golden set: {problem}; mend the row or take it out")

    digest = file_digest(path) if path.is_file() else ""
    rows = file_rows(open_table(path), pipeline)
    return list(labelled_rows(rows, pipeline, digest, left_out)), digest
