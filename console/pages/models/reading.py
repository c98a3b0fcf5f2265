"""Which version replaced which and why, how good they are, and what operators ordered."""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from msgspec import Struct

from console.pages.overview.reading import LOOKED_AT, paused
from console.site import Visit
from console.store import Reading
from schemas.codec import decode
from schemas.messages import Command, Quality, QualityReport, TrainingDecision, derived_id
from schemas.model_log import Accepted, ModelLog, Serving
from schemas.topics import COMMANDS, QUALITY, TRAINING_DECISIONS, topic_name

MOST_LINES, MOST_ORDERS = 100, 20
WORDS = 4  # on one decision, at most

_BY_ID: LiteralString = """
select value from {schema}.audit
where topic = %(topic)s and partition = 0 and key = any(%(ids)s) order by position limit %(limit)s"""


class Line(Struct, frozen=True, kw_only=True):
    """An accepted announcement. `before`: version of the champion until then; `decision`: what it follows from, None
    where the record does not have it."""

    accepted: Accepted
    serves: bool
    before: str | None
    decision: TrainingDecision | None

    @property
    def by(self) -> str:
        """An operator by name, or the policy."""
        return (self.decision.by if self.decision else None) or "policy"


class Ordered(Struct, frozen=True, kw_only=True):
    """An operator's word to the trainer, and its answer, None until there is one. `said`: epoch ms."""

    said: int
    command: Command
    answer: TrainingDecision | None


class Lineage(Struct, frozen=True, kw_only=True):
    """`lines` and `orders`: the newest first; `announced`: how many lines there ever were; `qualities`: live, by
    version; `paused`: why nothing happens by itself."""

    serving: Serving | None
    lines: Sequence[Line]
    announced: int
    qualities: Mapping[str, Quality]
    paused: str | None
    orders: Sequence[Ordered]


def read_lineage(visit: Visit) -> Lineage:
    """As the record has it now."""
    with visit.site.store.reading(visit.name) as reading:
        models = visit.site.logs.models(reading)
        announced = models.announced()
        given = [(record.said, decode(record.value, Command)) for record in reading.newest(COMMANDS, MOST_ORDERS)]
        decisions = _decisions(reading, [accepted.announcement.decision_id for accepted in announced[:MOST_LINES]]
                               + [_answer_id(command) for _, command in given])
        said = [decode(r.value, TrainingDecision) for r in reading.newest(TRAINING_DECISIONS, LOOKED_AT)]
        reports = [decode(record.value, QualityReport) for record in reading.newest(QUALITY, 1)]
    serving = models.serving(models.latest)
    return Lineage(
        serving=serving, announced=len(announced), paused=paused(said),
        lines=[_line(models, serving, accepted, decisions) for accepted in announced[:MOST_LINES]],
        qualities={q.version: q for report in reports for q in report.qualities if q.version and not q.feature},
        orders=[Ordered(said=at, command=command, answer=decisions.get(_answer_id(command)))
                for at, command in given])


def _decisions(reading: Reading, ids: Sequence[str]) -> dict[str, TrainingDecision]:
    """The last word on each, by id."""
    rows = reading.rows(_BY_ID, topic=topic_name(reading.pipeline, TRAINING_DECISIONS),
                        ids=[name.encode() for name in ids], limit=WORDS * len(ids))
    return {decision.decision_id: decision for decision in (decode(row["value"], TrainingDecision) for row in rows)}


def _answer_id(command: Command) -> str:
    return derived_id("command", command.command_id)


def _line(models: ModelLog, serving: Serving | None, accepted: Accepted,
          decisions: Mapping[str, TrainingDecision]) -> Line:
    before = models.serving(accepted.epoch - 1)
    return Line(accepted=accepted, serves=serving is not None and accepted in (serving.champion, serving.canary),
                before=before.champion.announcement.version if before else None,
                decision=decisions.get(accepted.announcement.decision_id))
