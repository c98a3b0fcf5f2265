"""All checks over one recording, and what they come to."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from msgspec import Struct

from automl_stream.verify.alerts import ALERTS, check_alerts
from automl_stream.verify.counts import CHECKPOINTS, COUNTS, check_checkpoints, check_counts
from automl_stream.verify.deliveries import Delivery
from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.firings import FIRINGS, check_firings
from automl_stream.verify.identity import IDENTITY, check_identity
from automl_stream.verify.labelled import LABELLED_CHECK, check_labelled
from automl_stream.verify.labels import LABELS_CHECK, check_labels
from automl_stream.verify.models import MODELS, check_models
from automl_stream.verify.quality import QUALITY_CHECK, check_quality
from automl_stream.verify.reading import READABLE, Reading, check_readable, read
from automl_stream.verify.recording import Recording
from automl_stream.verify.reports import REPORTS, check_reports
from automl_stream.verify.scores import SCORES, check_scores
from automl_stream.verify.sources import SOURCES, check_sources, lost_sources
from automl_stream.verify.tables import (
    MESSAGES_TABLE,
    PREDICTIONS_TABLE,
    check_messages_table,
    check_predictions_table,
)
from schemas.messages import Watermark

SHOWN = 20
Check = Callable[[Reading, Seen], Iterator[Difference]]

CHECKS: dict[str, Check] = {
    READABLE: check_readable,
    SOURCES: check_sources,
    IDENTITY: check_identity,
    SCORES: check_scores,
    COUNTS: check_counts,
    CHECKPOINTS: check_checkpoints,
    REPORTS: check_reports,
    FIRINGS: check_firings,
    ALERTS: check_alerts,
    LABELS_CHECK: check_labels,
    LABELLED_CHECK: check_labelled,
    QUALITY_CHECK: check_quality,
    PREDICTIONS_TABLE: check_predictions_table,
    MESSAGES_TABLE: check_messages_table,
    MODELS: check_models,
}


class CheckResult(Struct, frozen=True, kw_only=True):
    """One check: how many things it looked at, how many differ, what it could not judge."""

    looked_at: int
    differences: int
    notes: list[str]


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether all is well. `rows`: records of `events` that are not watermarks; `predictions` and `dead_letters`:
    distinct sources; `raw_repeats`: further records of the same sources; `differences`: the first of each check."""

    ok: bool
    rows: int
    predictions: int
    dead_letters: int
    lost: int
    raw_repeats: int
    checks: dict[str, CheckResult]
    differences: list[Difference]


def judge(recording: Recording, sample: int | None = None) -> Verdict:
    """Run all checks; `sample`: rescore only so many predictions."""
    reading = read(recording)
    results: dict[str, CheckResult] = {}
    shown: list[list[Difference]] = []
    for name, check in (CHECKS | {SCORES: partial(check_scores, sample=sample)}).items():
        seen = Seen()
        differences = check(reading, seen)
        first = list(islice(differences, SHOWN))
        further = sum(1 for _ in differences)
        results[name] = CheckResult(looked_at=seen.count, differences=len(first) + further, notes=seen.notes)
        shown.append(first)
    return _verdict(reading, results, _fair(shown))


def _verdict(reading: Reading, results: dict[str, CheckResult], differences: list[Difference]) -> Verdict:
    def is_row(delivery: Delivery) -> bool:
        return not isinstance(delivery.content, Watermark)

    dead = {entry.message.source for entry in reading.dead_letters}
    said = sum(map(len, reading.predictions.values())) + len(reading.dead_letters)
    return Verdict(
        ok=not differences, rows=sum(map(is_row, reading.deliveries.values())), predictions=len(reading.predictions),
        dead_letters=len(dead), lost=len(lost_sources(reading)),
        raw_repeats=said - len(reading.predictions) - len(dead), checks=results, differences=differences,
    )


def _fair(shown: list[list[Difference]]) -> list[Difference]:
    """At most 20 in the order of the checks, taken in turns so that none hides another."""
    turns = sorted((turn, index) for index, found in enumerate(shown) for turn in range(len(found)))[:SHOWN]
    return [shown[index][turn] for turn, index in sorted(turns, key=lambda place: (place[1], place[0]))]
