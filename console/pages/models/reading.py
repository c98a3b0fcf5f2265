"""Which version replaced which and why, how good they are, and what operators ordered."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from console.site import Visit
from schemas.codec import decode
from schemas.messages import Command, Quality, QualityReport, TrainingDecision, derived_id
from schemas.model_log import Accepted, ModelLog, Serving
from schemas.topics import COMMANDS, QUALITY

MOST_LINES, MOST_ORDERS = 100, 20


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
    logs = visit.site.logs
    with visit.site.store.reading(visit.name) as reading:
        models, trainer = logs.models(reading), logs.trainer(reading)
        announced = models.announced()
        given = [(record.said, decode(record.value, Command)) for record in reading.newest(COMMANDS, MOST_ORDERS)]
        decisions = logs.decisions(reading, [accepted.announcement.decision_id for accepted in announced[:MOST_LINES]]
                                   + [_answer_id(command) for _, command in given])
        reports = [decode(record.value, QualityReport) for record in reading.newest(QUALITY, 1)]
    serving = models.serving(models.latest)
    return Lineage(
        serving=serving, announced=len(announced), paused=trainer.paused,
        lines=[_line(models, serving, accepted, decisions) for accepted in announced[:MOST_LINES]],
        qualities={q.version: q for report in reports for q in report.qualities if q.version and not q.feature},
        orders=[Ordered(said=at, command=command, answer=decisions.get(_answer_id(command)))
                for at, command in given])


def _answer_id(command: Command) -> str:
    return derived_id("command", command.command_id)


def _line(models: ModelLog, serving: Serving | None, accepted: Accepted,
          decisions: Mapping[str, TrainingDecision]) -> Line:
    before = models.serving(accepted.epoch - 1)
    return Line(accepted=accepted, serves=serving is not None and accepted in (serving.champion, serving.canary),
                before=before.champion.announcement.version if before else None,
                decision=decisions.get(accepted.announcement.decision_id))
