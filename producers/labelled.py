"""Rows of a file as the training log's first entries. Pure."""

from collections.abc import Callable, Iterator

import msgspec

from producers.due_labels import label_problem
from producers.rows import Row
from schemas.codec import EventCodec, canonical_label
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline


def labelled_rows(rows: Iterator[Row], pipeline: Pipeline, file_digest: str,
                  left_out: Callable[[Row, str], None]) -> Iterator[LabelledEvent]:
    """Labelled events with source bootstrap-<digest>-<row>, features in the definition's order.

    `left_out` hears of every row that does not fit or has no usable label, and why.
    """
    codec = EventCodec(pipeline)
    for row in rows:
        problem = row.problem or label_problem(row, pipeline.task)
        if problem or row.label is None or not isinstance(row.ts, int):
            left_out(row, problem)
            continue
        event = codec.decode(codec.encode(row.event_id, row.ts, row.entity, row.features))
        yield LabelledEvent(
            event_id=row.event_id, entity=row.entity, ts=row.ts, source=f"bootstrap-{file_digest}-{row.number}",
            pipeline_digest=pipeline.digest, features=list(msgspec.structs.astuple(event.features)),
            label=canonical_label(pipeline.task, row.label), labelled_ts=row.ts,
        )
