"""A batch of rows as a file: Parquet with typed columns, or CSV. A file appears whole or not at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import polars as pl

from automl_stream.export.days import COLUMNS, Row
from schemas.messages import FeatureValue
from schemas.pipeline import Pipeline

Format = Literal["parquet", "csv"]
_TYPES: dict[str, Any] = {"ts": pl.Int64, "labelled_ts": pl.Int64, "scored_at": pl.Int64, "model_epoch": pl.Int64,
                          "revision": pl.Int64, "score": pl.Float64, "source_day": pl.Date, "conflict": pl.Boolean}
_FEATURE_TYPES: dict[str, Any] = {"number": pl.Float64, "category": pl.String, "boolean": pl.Boolean}
_features = msgspec.json.Decoder(list[FeatureValue]).decode
_probabilities = msgspec.json.Decoder(list[float]).decode


def table(rows: Sequence[Row], pipeline: Pipeline) -> pl.DataFrame:
    """The rows, and a column `feature.NAME` for each feature of the pipeline file; null where a prediction was made
    under another file, whose values are in `features` only (JSON, in the order of then)."""
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    vectors = [_features(text) if digest == pipeline.digest else None
               for text, digest in zip(columns["features"], columns["pipeline_digest"], strict=True)]
    made = [pl.Series(name, values, dtype=_TYPES.get(name, pl.String))
            for name, values in columns.items() if name != "probabilities"]
    made.append(pl.Series("probabilities", [None if text is None else _probabilities(text)
                                            for text in columns["probabilities"]], dtype=pl.List(pl.Float64)))
    for place, feature in enumerate(pipeline.features):
        values = [None if vector is None else vector[place] for vector in vectors]
        made.append(pl.Series(f"feature.{feature.name}", values, dtype=_FEATURE_TYPES[feature.type], strict=False))
    return pl.DataFrame(made)


def write(frame: pl.DataFrame, path: Path, kind: Format) -> None:
    """Write a file."""
    partial = path.with_name(f".{path.name}.partial")
    if kind == "parquet":
        frame.write_parquet(partial)
    else:
        lists = pl.col("probabilities").map_elements(lambda x: msgspec.json.encode(x.to_list()).decode(),
                                                     return_dtype=pl.String)
        frame.with_columns(lists).write_csv(partial)
    partial.rename(path)
