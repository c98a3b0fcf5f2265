"""Quality reports are what the rows of `labelled` make of them, in offset order."""

from bisect import bisect_left
from collections.abc import Iterator

from automl_stream.verify.difference import Difference, Seen, shown
from automl_stream.verify.reading import Entry, Reading
from schemas.messages import LabelledEvent, QualityReport
from stream_apps.quality import QualityLog

QUALITY_CHECK = "quality"


def check_quality(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Each report says what its rows say, and none is missing. Reports of another pipeline file are not judged; what
    comes after one goes on from it."""
    pipeline, entries = reading.recording.pipeline, reading.labelled
    log, rows, unjudged = QualityLog(pipeline), iter(entries), 0
    first: dict[int, Entry[QualityReport]] = {}
    for entry in reading.quality:
        first.setdefault(entry.message.first, entry)
    for entry in first.values():
        said, where = entry.message, f"quality 0/{entry.record.offset}"
        if said.pipeline_digest == pipeline.digest:
            seen.count += 1
            expected = _next(log, rows)
            if expected == said:
                continue
            yield Difference(check=QUALITY_CHECK, where=where, expected=shown(expected), found=shown(said))
        else:
            unjudged += 1
        log = QualityLog(pipeline, said)
        rows = iter(entries[bisect_left(entries, log.resume_at, key=lambda e: e.record.offset):])
    missing = _next(log, rows)
    if missing is not None:
        yield Difference(check=QUALITY_CHECK, where=f"labelled 0/{missing.first}", expected=shown(missing),
                         found="no report")
    if unjudged:
        seen.notes.append(f"{unjudged} reports are of another pipeline file")


def _next(log: QualityLog, rows: Iterator[Entry[LabelledEvent]]) -> QualityReport | None:
    return next((report for row in rows if (report := log.add(row.record.offset, row.message)) is not None), None)
