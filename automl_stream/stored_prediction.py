"""A row of the table `predictions`, as it is read."""

from typing import Any, LiteralString

import msgspec
from msgspec import Struct

from schemas.messages import FeatureValue

COLUMNS: LiteralString = """
source, source_day::text, partition, position, event_id, entity, ts, pipeline_digest, model_version, model_digest,
model_epoch, prediction, score, scored_at, answered_epoch, probabilities::text, features::text
"""
# Numbers as what they are in the messages: jsonb writes 1e300 with all its digits, which would read as an integer.
_probabilities = msgspec.json.Decoder(list[float]).decode
_features = msgspec.json.Decoder(list[FeatureValue]).decode


class StoredPrediction(Struct, frozen=True, kw_only=True):
    """A row, column by column. `answered_epoch`: of the model that answered over HTTP, None: nobody asked."""

    source: str
    source_day: str
    partition: int
    position: int
    event_id: str
    entity: str
    ts: int
    pipeline_digest: str
    model_version: str
    model_digest: str
    model_epoch: int
    prediction: str
    score: float
    scored_at: int
    answered_epoch: int | None
    probabilities: list[float] | None
    features: list[FeatureValue]


def stored_prediction(row: tuple[Any, ...]) -> StoredPrediction:
    """Of a row with these `COLUMNS`."""
    *before, probabilities, features = row
    told: tuple[Any, ...] = (*before, None if probabilities is None else _probabilities(probabilities),
                             _features(features))
    return StoredPrediction(**dict(zip(StoredPrediction.__struct_fields__, told, strict=True)))
