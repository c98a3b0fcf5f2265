"""Plain files as rows: CSV (also gzipped), Parquet, JSON Lines. Loads polars: import it where a file is opened."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from producers.errors import UnusableFile
from producers.rows import BOOLEANS, Block, Row, RowShape, check_columns, replay_of
from schemas.pipeline import FeatureType, Pipeline, Task

ENDINGS = (".csv", ".csv.gz", ".parquet", ".jsonl", ".ndjson")
_BLOCK_ROWS = 8_192


@dataclass(frozen=True, kw_only=True)
class Table:
    """An opened file: its columns in order and the exact number of rows."""

    path: Path
    columns: tuple[str, ...]
    rows: int
    frame: pl.LazyFrame


def ending(path: Path) -> str:
    """The file's ending, one of `ENDINGS`.

    Raises:
        UnusableFile: for any other.
    """
    found = next((known for known in ENDINGS if path.name.lower().endswith(known)), None)
    if found is None:
        raise UnusableFile(f"{path}: '{path.suffix}' is not an ending that can be read; allowed: {', '.join(ENDINGS)}")
    return found


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of the file's bytes: the name of its content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_table(path: Path) -> Table:
    """Open a file and count its rows.

    Raises:
        UnusableFile: when it is missing, empty, has no rows, an unknown ending, or is not what its ending says.
    """
    kind = ending(path)
    if not path.is_file():
        raise UnusableFile(f"{path}: there is no such file; give the path of a {kind} file")
    if path.stat().st_size == 0:
        raise UnusableFile(f"{path}: the file is empty; it needs a header and rows")
    try:
        frame = _scan(path, kind)
        columns = tuple(frame.collect_schema().names())
        rows = int(frame.select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise _unreadable(path, kind, error) from error
    if rows == 0:
        raise UnusableFile(f"{path}: the file has the columns {', '.join(columns)} but no rows")
    return Table(path=path, columns=columns, rows=rows, frame=frame)


def file_rows(table: Table, pipeline: Pipeline, first: int = 0, *, labels: bool = True) -> Iterator[Row]:
    """Rows of the file from number `first` on. The columns are checked at once, not at the first row.

    Raises:
        UnusableFile: when a needed column is missing, one is unknown, or the file breaks off.
    """
    check_columns(table.columns, pipeline, str(table.path), labels=labels)
    return _rows(table, pipeline, RowShape(pipeline), first)


def _rows(table: Table, pipeline: Pipeline, shape: RowShape, first: int) -> Iterator[Row]:
    replay = replay_of(pipeline)
    roles = {*(feature.name for feature in pipeline.features), replay.label, replay.time, replay.entity}
    used = [name for name in table.columns if name in roles]
    try:
        for frame in table.frame.select(used).slice(first).collect_batches(chunk_size=_BLOCK_ROWS):
            features = {f.name: _values(frame[f.name], f.type) for f in pipeline.features if f.name in used}
            blank = [None] * frame.height
            yield from shape.rows(Block(
                first=first, features=features,
                labels=_labels(frame[replay.label], pipeline.task) if replay.label in used else blank,
                entities=frame[replay.entity].cast(pl.String).to_list() if replay.entity else blank,
                times=frame[replay.time].to_list() if replay.time else None,
            ))
            first += frame.height
    except pl.exceptions.PolarsError as error:
        raise _unreadable(table.path, ending(table.path), error) from error


def _scan(path: Path, kind: str) -> pl.LazyFrame:
    """Text formats keep every value as the text that stands there: its feature decides what it means."""
    if kind == ".parquet":
        return pl.scan_parquet(path)
    if kind in (".csv", ".csv.gz"):
        return pl.scan_csv(path, infer_schema=False)
    names = pl.scan_ndjson(path, infer_schema_length=None).collect_schema().names()
    return pl.scan_ndjson(path, schema=dict.fromkeys(names, pl.String))


def _unreadable(path: Path, kind: str, error: Exception) -> UnusableFile:
    return UnusableFile(f"{path}: cannot be read as {kind[1:]} in UTF-8: {str(error).splitlines()[0]}; mend the file")


def _values(column: pl.Series, kind: FeatureType) -> list[Any]:
    if kind == "number":
        return _numbers(column)
    texts = [text or None for text in column.cast(pl.String)]
    return texts if kind == "category" else [text and BOOLEANS.get(text.lower(), text) for text in texts]


def _numbers(column: pl.Series) -> list[Any]:
    """Floats; NaN and infinity count as missing; text that is no number stays as it is."""
    if column.dtype == pl.String:
        column = column.str.strip_chars().replace("", None)
    numbers = column.cast(pl.Float64, strict=False)
    values = numbers.set(~numbers.is_finite(), None).to_list()
    for index in (numbers.is_null() & column.is_not_null()).arg_true():
        values[index] = column[index]
    return values


def _labels(column: pl.Series, task: Task) -> list[Any]:
    """Numbers for regression; for classes text, where 1 and 1.0 are the same."""
    if task == "regression":
        return _numbers(column)
    return [text or None for text in column.cast(pl.String).str.replace(r"^(-?\d+)\.0+$", "${1}")]


def write_table(path: Path, columns: Mapping[str, list[Any]]) -> None:
    """Write columns as CSV, CSV.gz, Parquet or JSON Lines; a column of mixed values becomes text.

    Raises:
        UnusableFile: for another ending, or where the file cannot be written.
    """
    kind = ending(path)
    frame = pl.DataFrame([_column(name, values) for name, values in columns.items()])
    try:
        if kind == ".parquet":
            frame.write_parquet(path)
        elif kind == ".csv":
            frame.write_csv(path)
        elif kind == ".csv.gz":
            path.write_bytes(gzip.compress(frame.write_csv().encode(), mtime=0))
        else:
            frame.write_ndjson(path)
    except OSError as error:
        raise UnusableFile(f"{path}: cannot be written ({error.strerror}); give a path in a folder "
                           "that exists") from error


def _column(name: str, values: list[Any]) -> pl.Series:
    mixed = len({type(value) for value in values} - {type(None)}) > 1
    return pl.Series(name, [None if value is None else str(value) for value in values] if mixed else values)
