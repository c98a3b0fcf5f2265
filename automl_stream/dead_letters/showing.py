"""Everything that is known of one source's dead letter."""

from collections.abc import Iterator

import msgspec

from automl_stream.dead_letters.errors import UnknownSource
from automl_stream.dead_letters.letter import Letter, Source
from automl_stream.dead_letters.letter_box import LetterBox, Trace
from automl_stream.dead_letters.originals import REFUSALS, Originals
from automl_stream.dead_letters.wording import printable, readable, when
from schemas.messages import DeadLetter


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A replay of the event; `dead`: it ended as a dead letter again."""

    source: str
    dead: bool


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter, where it lies and since when (epoch ms), and what was done about it. `origin`: the event's first
    dead letter, where this one became of a replay; `refused`: why it cannot be replayed."""

    letter: DeadLetter
    offset: int
    written: int
    former_topic: bool
    origin: str | None
    replays: list[Sent]
    refused: str | None


def look_at(box: LetterBox, source: Source) -> list[Shown]:
    """The letters that cover a source: mostly one.

    Raises:
        UnknownSource: when there is none.
    """
    letters = [letter for letter in box.letters() if letter.covers(source)]
    if not letters:
        raise UnknownSource(f"no dead letter has the source {source}; `automl-stream dead-letters list` shows them")
    originals = box.originals(Trace.of(letter) for letter in letters if letter.content.raw)
    sent = {replay for letter in letters for replay in originals.replays.get(originals.origin(letter.source), ())}
    dead = {letter.source for letter in box.letters() if letter.source in sent} if sent else set[Source]()
    return [_shown(letter, originals, dead) for letter in letters]


def _shown(letter: Letter, originals: Originals, dead: set[Source]) -> Shown:
    origin = originals.origin(letter.source)
    return Shown(
        letter=letter.content, offset=letter.offset, written=letter.written,
        former_topic=letter.source.topic_id != originals.topic_id,
        origin=None if origin == letter.source else str(origin),
        replays=[Sent(source=str(s), dead=s in dead) for s in originals.replays.get(origin, ()) if s != letter.source],
        refused=REFUSALS.get(originals.fate(letter.source, has_bytes=bool(letter.content.raw))),
    )


def describe(shown: Shown, box: LetterBox) -> Iterator[str]:
    """Lines for a person; the raw bytes last."""
    letter, source = shown.letter, Source.parse(shown.letter.source)
    last = f" to {letter.last_offset}" if letter.last_offset != source.offset else ""
    former = " of a topic of that name that was deleted since" if shown.former_topic else ""
    facts = {
        "source": str(source), "reason": letter.reason, "detail": printable(letter.detail),
        "record": f"{box.events}, partition {source.partition}, offset {source.offset}{last}{former}",
        "record time": when(letter.record_ts),
        "dead since": f"{when(shown.written)} ({box.dead_letters}, offset {shown.offset})",
        "key": "none" if letter.raw_key is None else readable(letter.raw_key) or "empty",
        "replayed": _replayed(shown),
        "raw": "none" if letter.raw is None else f"{len(letter.raw):,} bytes",
    }
    for name, fact in facts.items():
        yield f"{name:<13}{fact}"
    if letter.raw:
        yield ""
        yield readable(letter.raw)


def _replayed(shown: Shown) -> str:
    words = [f"as {sent.source}{', a dead letter again' if sent.dead else ''}" for sent in shown.replays]
    if shown.origin is not None:
        words.insert(0, f"this is a replay of {shown.origin}")
    if shown.refused is not None:
        words.append(f"cannot be: {shown.refused}")
    return "; ".join(words) or "never"
