"""What retention or an erasure has removed from PostgreSQL is not lost; anything else that is missing is."""

from msgspec.structs import replace

from automl_stream.verify.recording import Kept, Recording
from automl_stream.verify.verdict import Verdict, judge
from schemas.topics import LABELLED, TOPICS, topic_name

from .mutation import with_rows
from .run import small_run

SOUND = small_run().recording()
DAY, NEXT_DAY = "2023-11-14", "2023-11-15"  # of every record of the run, and the one after


def without(kept: Kept, *, predictions: bool = False, messages: bool = False, labels: bool = False,
            audit: bool = False) -> Verdict:
    """The verdict where these rows are missing and `kept` says why."""
    rows = SOUND.rows
    audited = {topic_name("tiny", topic) for topic in TOPICS if topic.audited}
    left = [row for row in rows.messages if not (audit if row.topic in audited else messages)]
    return judge(_with(rows_predictions=[] if predictions else rows.predictions, left=left,
                       labels=[] if labels else rows.labels, kept=kept))


def _with(*, rows_predictions: object, left: object, labels: object, kept: Kept) -> Recording:
    return with_rows(SOUND, replace(SOUND.rows, predictions=rows_predictions, messages=left, labels=labels, kept=kept))


def wrong(verdict: Verdict) -> set[str]:
    return {difference.check for difference in verdict.differences}


def test_rows_of_days_that_have_passed_are_not_lost() -> None:
    passed = Kept(predictions=NEXT_DAY, messages=NEXT_DAY)
    verdict = without(passed, predictions=True, messages=True, labels=True)
    assert wrong(verdict) == set()
    assert any("retention" in note for note in verdict.checks["predictions table"].notes)


def test_rows_of_days_that_are_kept_are_lost() -> None:
    assert wrong(without(Kept(predictions=DAY), predictions=True)) == {"predictions table"}
    assert wrong(without(Kept(messages=DAY), messages=True)) == {"messages table"}
    assert wrong(without(Kept(), labels=True)) == {"labels"}
    assert wrong(without(Kept(predictions=NEXT_DAY), messages=True)) == {"messages table"}


def test_the_audit_has_no_retention() -> None:
    assert wrong(without(Kept(predictions=NEXT_DAY, messages=NEXT_DAY), audit=True)) == {"messages table"}


def test_only_the_places_that_were_erased_may_be_missing() -> None:
    rows = SOUND.rows
    sources = [row.source for row in rows.predictions]
    spared = replace(rows, predictions=rows.predictions[1:], kept=Kept(erased_sources=frozenset(sources[:1])))
    assert wrong(judge(with_rows(SOUND, spared))) == set()
    other = replace(rows, predictions=rows.predictions[1:], kept=Kept(erased_sources=frozenset(sources[1:2])))
    assert wrong(judge(with_rows(SOUND, other))) == {"predictions table"}
    labelled = [row for row in rows.messages if row.topic == topic_name("tiny", LABELLED)]
    places = frozenset({(row.topic, row.partition, row.position) for row in labelled[:1]})
    fewer = [row for row in rows.messages if row is not labelled[0]]
    assert wrong(judge(with_rows(SOUND, replace(rows, messages=fewer, kept=Kept(erased_places=places))))) == set()
    assert wrong(judge(with_rows(SOUND, replace(rows, messages=fewer)))) == {"messages table"}
