"""Swaps under load: each prediction names the model that made it, and a bad announcement changes nothing.

Between good announcements come repeated, stale, second-best, corrupt, cut, misfit and hostile ones; after each kind the
worker is killed. Run: python -m tests.chaos.swaps [--full] [--json]
"""

import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from msgspec import Struct

from automl_stream.local_stack.ports import unused_ports
from automl_stream.verify.counts import check_checkpoints, check_counts
from automl_stream.verify.difference import Seen
from automl_stream.verify.reading import Reading, check_readable
from automl_stream.verify.scores import check_scores
from automl_stream.verify.sources import check_sources
from kafka_access.access import KafkaAccess
from schemas.messages import Artifact
from schemas.topics import EVENTS, MODEL_ARTIFACTS, topic_name
from tests.chaos.command import run_alone
from tests.chaos.flow import Flow
from tests.live import Live
from tests.tiny import metadata_of, onnx_bytes, profile_bytes

PARTITIONS = 2
RATE = 300
SAMPLE = 100_000
PROFILE_EVERY = 10  # good announcements that share a reference profile
KILL_EVERY = 20
SWAPS, BAD_EVERY = {False: 40, True: 1_000}, {False: 5, True: 2}  # by whether it is the full form
PATIENCE_SECONDS = 120.0

Announced = tuple[Artifact, Artifact, int, str]
Offsets = dict[int, int]


class Figures(Struct, frozen=True, kw_only=True):
    """What was announced and found. `spans`: stretches of rows of which it is known which model must have made them;
    `rescored`: predictions made again offline."""

    swaps: int
    bad: dict[str, int]
    kills: int
    rows: int
    predictions: int
    epochs_seen: int
    spans: int
    misnamed: int
    rescored: int
    differences: int


@dataclass(frozen=True, kw_only=True)
class Span:
    """Rows from `first` to `end` (exclusive), by partition, belong to `epoch`."""

    epoch: int
    first: Offsets
    end: Offsets


@dataclass(kw_only=True)
class Said:
    """What the worker's log says about epochs, read on and on: (event, partition or None, epoch)."""

    path: Path
    lines: set[tuple[str, int | None, int]] = field(default_factory=set)
    _read: int = 0

    def has(self, event: str, epoch: int, *partitions: int | None) -> bool:
        """Whether the event was logged for the epoch, in each of the partitions where it has any."""
        with self.path.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        text = text[: text.rfind(b"\n") + 1]
        self._read += len(text)
        for line in text.splitlines():
            if b'"epoch"' in line and line.startswith(b"{") and line.endswith(b"}"):
                said: dict[str, Any] = json.loads(line)
                self.lines.add((said["event"].split(";")[0], said.get("partition"), said["epoch"]))
        return all((event, partition, epoch) in self.lines for partition in partitions or (None,))


class Announcer:
    """Announces good and bad models. `replaces` is what the next one must replace; `old` serves whatever is bad."""

    def __init__(self, live: Live, trap: Path) -> None:
        self.live, self.replaces, self.old, self.good = live, -1, -1, 0
        self._trap, self._weight = trap, 0.0
        self._last: Announced | None = None
        self.bad: dict[str, Callable[[], int]] = {
            "duplicate": self._duplicate, "stale": self._stale, "second_best": self._second_best,
            "corrupt": lambda: self._unusable(self.live.store(self._model(), corrupt=True)),
            "missing": lambda: self._unusable(self._cut(self._model())),
            "width": lambda: self._unusable(self.live.store(self._model(width=4))),
            "not_onnx": lambda: self._unusable(self.live.store(b"not a model" + self._model())),
            "pickle": lambda: self._unusable(self.live.store(pickle.dumps(Trap(self._trap)) + bytes(2)))}

    def announce(self) -> int:
        """A model that can serve; returns its epoch."""
        model, profile = self.live.store(self._model()), self.live.store(profile_bytes(self.good // PROFILE_EVERY / 10))
        self._last = (model, profile, self.replaces, f"w{self._weight}")
        self.old = self.replaces = self.live.announce_stored(*self._last)
        self.good += 1
        return self.old

    def _model(self, width: int = 3) -> bytes:
        """A model that nobody has seen."""
        self._weight += 1 / 64
        return onnx_bytes(self._weight, metadata_of(self.live.pipeline), width=width)

    def _duplicate(self) -> int:
        assert self._last is not None
        return self.live.announce_stored(*self._last)

    def _stale(self) -> int:
        """What was right before the models that followed."""
        assert self._last is not None
        return self.live.announce_stored(*self._last[:2], -1, "stale")

    def _second_best(self) -> int:
        """Another trainer's model, gated against the one before."""
        assert self._last is not None
        return self.live.announce_stored(self.live.store(self._model()), *self._last[1:3], "second")

    def _unusable(self, model: Artifact) -> int:
        """It has its place in the order of models, and cannot be loaded."""
        assert self._last is not None
        self.replaces = self.live.announce_stored(model, self._last[1], self.replaces, "bad")
        return self.replaces

    def _cut(self, data: bytes) -> Artifact:
        digest = sha256(data).hexdigest()
        offset = self.live.write(MODEL_ARTIFACTS, 0, data[: len(data) // 2], key=f"{digest}/0".encode())
        return Artifact(digest=digest, size=len(data), offset=offset)


@dataclass
class Trap:
    """Leaves a file behind where somebody unpickles it."""

    path: Path

    def __reduce__(self) -> tuple[Any, ...]:
        """Run code on loading, as a hostile pickle does."""
        return (Path.touch, (self.path,))


LOST = "announcement unreadable, or lost to an earlier one"
REFUSED = "announced model refused"
SWAPPED = "model swapped"


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Swap, misannounce and kill while events flow.

    Raises:
        AssertionError: where a prediction names another model than the one that had to make it, or a recount differs.
    """
    live, trap, seen = Live(kafka, directory), directory / "unpickled", Seen()
    flow = Flow(kafka, topic_name(live.name, EVENTS), PARTITIONS, seed=7)
    try:
        flow.start(RATE)
        announcer, spans, kills = Announcer(live, trap), [], 0
        bad = Counter[str]()
        for span, kind, killed in steps(live, announcer, SWAPS[full], BAD_EVERY[full]):
            spans.append(span)
            kills += killed
            bad += Counter([kind] if kind != "good" else [])
        flow.stop()
        live.until(live.covered, "all events to be covered", PATIENCE_SECONDS)
        reading = live.reading()
        checks = [check_readable(reading, Seen()), check_sources(reading, Seen()), check_scores(reading, seen, SAMPLE),
                  check_counts(reading, Seen()), check_checkpoints(reading, Seen())]
        found = [difference for check in checks for difference in check]
        assert found == [], found[:5]
        assert not trap.exists(), "somebody unpickled an artifact"
        epochs = check_names(reading, spans)
        return Figures(
            swaps=announcer.good, bad=dict(bad), kills=kills, rows=flow.sent, predictions=len(reading.predictions),
            epochs_seen=epochs, spans=len(spans), misnamed=0, rescored=seen.count, differences=0)
    finally:
        flow.close()
        live.close()


def steps(live: Live, announcer: Announcer, swaps: int, bad_every: int) -> Iterator[tuple[Span, str, bool]]:
    """Announce, wait for what comes of it, sometimes kill; yields which rows must then name which model."""
    port = unused_ports().metrics
    said, kinds = Said(path=live.log("score")), list(announcer.bad)
    announcer.announce()
    worker = live.start("score", METRICS_PORT=str(port))
    yield settled(live, port, announcer.old), "good", False
    tried = 0
    for swap in range(1, swaps):
        epoch = announcer.announce()
        live.until(lambda epoch=epoch: said.has(SWAPPED, epoch, *range(PARTITIONS)), f"epoch {epoch} in charge",
                   PATIENCE_SECONDS)
        kill = swap == 1
        if kill:
            worker = restart(live, worker, port)
        yield settled(live, port, epoch), "good", kill
        if swap % bad_every == 1:
            kind = kinds[tried % len(kinds)]
            kill = tried < len(kinds) or tried % KILL_EVERY == 0
            tried += 1
            epoch = announcer.bad[kind]()
            outcome = LOST if epoch != announcer.replaces else REFUSED
            live.until(lambda epoch=epoch, outcome=outcome: said.has(outcome, epoch), f"{kind} {epoch}: {outcome}",
                       PATIENCE_SECONDS)
            if kill:
                worker = restart(live, worker, port)
            yield settled(live, port, announcer.old), kind, kill


def restart(live: Live, worker: Any, port: int) -> Any:
    """The worker dies and is started again."""
    live.kill(worker)
    return live.start("score", METRICS_PORT=str(port))


def settled(live: Live, port: int, epoch: int) -> Span:
    """From what is in `events` now to where it ends once every partition has been scored past that."""
    first = {p: end for p, (_, end) in live.bounds(EVENTS).items()}

    def past() -> Offsets | None:
        found = covered(port)
        return found if all(found.get(p, 0) > end for p, end in first.items()) else None

    end = live.until(past, f"rows of epoch {epoch}", PATIENCE_SECONDS)
    return Span(epoch=epoch, first=first, end=end or {})


def covered(port: int) -> Offsets:
    """How far the worker has scored each partition; empty while it starts."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            found: dict[str, int] = json.load(answer)["covered"]
    except OSError:
        return {}
    return {int(partition): end for partition, end in found.items()}


def check_names(reading: Reading, spans: list[Span]) -> int:
    """Rows of each span name its epoch, and each span has rows; returns how many epochs made predictions."""
    by_place: dict[tuple[int, int], int] = {}
    for source, entries in reading.predictions.items():
        _, partition, offset = source.rsplit("-", 2)
        epochs = {entry.message.model.epoch for entry in entries}
        assert len(epochs) == 1, f"{source} was scored by {epochs}"
        by_place[int(partition), int(offset)] = epochs.pop()
    for span in spans:
        rows = {(p, offset) for p in span.first for offset in range(span.first[p], span.end.get(p, 0))}
        named = {by_place[place] for place in rows & by_place.keys()}
        assert named == {span.epoch}, f"{span} was scored by {named}"
    return len(set(by_place.values()))


if __name__ == "__main__":
    run_alone(run)
