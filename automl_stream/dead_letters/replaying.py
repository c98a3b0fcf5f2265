"""Dead letters back into `events`: each event at most once, however often the command is run."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from automl_stream.dead_letters.errors import UnknownSource
from automl_stream.dead_letters.letter import Source
from automl_stream.dead_letters.letter_box import LetterBox, Trace
from automl_stream.dead_letters.originals import REFUSALS, Fate, Originals
from automl_stream.dead_letters.replayer import Replayer
from automl_stream.dead_letters.selection import Selection

_NAMED = 20


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A letter that cannot be sent, and why."""

    source: str
    why: str


class ReplayReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the selected letters. `due`: to be sent; `sent`: confirmed by Kafka, 0 in a dry run;
    `refused`: how many of each kind cannot be sent; `examples`: the first of them."""

    selected: int
    due: int
    sent: int
    replayed_before: int
    refused: dict[Fate, int]
    examples: list[Refused]
    dry_run: bool
    again: bool


class Candidate(NamedTuple):
    """A selected letter without its bytes: there may be many."""

    identity: tuple[Source, int]
    has_bytes: bool
    trace: Trace


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The fate of every selected letter; `due` leads from a letter to be sent to the first one of its event."""

    fates: Counter[Fate] = field(default_factory=Counter)
    examples: list[Refused] = field(default_factory=list)
    due: dict[tuple[Source, int], Source] = field(default_factory=dict)

    def refuse(self, source: Source, fate: Fate) -> None:
        """Count it, and name it if it is among the first."""
        self.fates[fate] += 1
        if len(self.examples) < _NAMED:
            self.examples.append(Refused(source=str(source), why=REFUSALS[fate]))


def replay(box: LetterBox, selection: Selection, open_replayer: Callable[[int], Replayer] | None, *,
           again: bool) -> ReplayReport:
    """Write the selected letters' bytes to `events`, under their own keys; without a replayer it is a dry run.

    Left alone is what was replayed before, found by the header of the replays, and what cannot be sent. Two replays at
    the same time may both send a letter: that is an extra delivery of the same event, which every reader knows by its
    entity and event id, as it knows a producer's retry (invariant 2); it is counted and does no harm.

    Raises:
        UnknownSource: when a source was named that is no dead letter; nothing is sent.
        NotConfirmed: when Kafka failed; what it confirmed is replayed, and a further run leaves it alone.
    """
    candidates = [Candidate(letter.identity, bool(letter.content.raw), Trace.of(letter))
                  for letter in box.letters(selection.since) if letter in selection]
    if unknown := sorted(map(str, set(selection.sources) - {c.identity[0] for c in candidates})):
        raise UnknownSource(f"no dead letter that the filters let pass has the source {', '.join(unknown)}; "
                            "`automl-stream dead-letters list` shows them")
    originals = box.originals(c.trace for c in candidates if c.has_bytes)
    plan = make_plan(candidates, originals, again=again)
    sent = 0
    if open_replayer is not None and plan.due:
        replayer = open_replayer(len(plan.due))
        for letter in box.letters(selection.since):
            if letter.identity in plan.due:
                replayer.send(letter, plan.due[letter.identity])
        sent = replayer.finish()
        for source in replayer.too_large:
            plan.refuse(source, "too large")
    return ReplayReport(
        selected=len(candidates), due=len(plan.due), sent=sent, replayed_before=plan.fates.pop("replayed before", 0),
        refused=dict(plan.fates), examples=plan.examples, dry_run=open_replayer is None,
        again=again)


def make_plan(candidates: Iterable[Candidate], originals: Originals, *, again: bool) -> Plan:
    """Each event at most once: its first dead letter stands for those that its replays became."""
    plan = Plan()
    taken: set[Source] = set()
    for candidate in candidates:
        source = candidate.identity[0]
        fate = originals.fate(source, has_bytes=candidate.has_bytes)
        if fate in REFUSALS:
            plan.refuse(source, fate)
        elif (origin := originals.origin(source)) in taken or (fate == "replayed before" and not again):
            plan.fates["replayed before"] += 1
        else:
            taken.add(origin)
            plan.due[candidate.identity] = origin
    return plan
