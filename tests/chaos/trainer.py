"""The trainer killed at every step, then a stranger's announcement while a registered model waits for its own.

Each decision is announced once and the announcement always follows; the decisions are those of an undisturbed run; what
was registered and never announced is tagged. Run: python -m tests.chaos.trainer [--full] [--json]
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from automl_stream.topics import create_topics
from kafka_access.access import KafkaAccess
from schemas.messages import LabelledEvent
from schemas.pipeline import Pipeline, parse_pipeline
from tests.chaos.command import run_alone
from tests.trainer.conftest import DEFINITION, Driver, labelled_row
from tests.trainer.doomed_trainer import STEPS
from tests.trainer.workbench import Workbench, wait_for
from trainer.announce import Announcer, Parts
from trainer.settings import RegistrySettings

FIRST, THEN = 300, 900  # rows that the first model is fitted on, and that follow at once; more come when they run out
REPETITIONS = {False: 1, True: 20}  # of every step, by whether it is the full form
NAME = "chaos_trainer"

log = logging.getLogger(__name__)


class Figures(Struct, frozen=True, kw_only=True):
    """What was done and found. `missing`: promoted decisions without an accepted announcement; `refused`: announcements
    that lost, the stranger's victim; `abandoned`: registered decisions tagged so."""

    steps: tuple[str, ...]
    kills: int
    rows: int
    decisions: int
    announced: int
    announced_per_decision_max: int
    missing: int
    refused: int
    abandoned: int
    without_pictures: int
    same_decisions: bool


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Kill, compare with an undisturbed run, then let a stranger in.

    Raises:
        AssertionError: where a promise is broken.
    """
    with workbench(kafka, directory) as bench:
        bench.bootstrap(rows(bench.pipeline, 0, FIRST))
        bench.label(rows(bench.pipeline, FIRST, FIRST + THEN))
        for repetition in range(REPETITIONS[full]):
            for step in STEPS:
                bench.kill_at(step, lambda first, last: rows(bench.pipeline, first, last))
            log.info("killed at %s steps, %s times", len(STEPS), repetition + 1)
        finish(bench)
        same = same_decisions(bench)
        assert same, "the decisions are not those of an undisturbed run"
        assert bench.announced_once()
        assert bench.abandoned() == set()
        stranger(bench)
        return figures(bench, REPETITIONS[full] * len(STEPS) + 1, same=same)


@contextmanager
def workbench(kafka: KafkaAccess, directory: Path) -> Iterator[Workbench]:
    """A pipeline of its own, with a store of MLflow in `directory`."""
    text = DEFINITION.format(name=NAME, task="binary")
    pipeline = parse_pipeline(text, "chaos")
    create_topics(pipeline, kafka)
    registry = RegistrySettings(tracking_uri=f"sqlite:///{directory / 'mlflow.db'}",
                                artifact_root=str(directory / "mlflow"))
    bench = Workbench(pipeline, kafka, registry, directory, text)
    try:
        yield bench
    finally:
        bench.close()


def rows(pipeline: Pipeline, first: int, last: int) -> list[LabelledEvent]:
    """Rows of the stream that the trainer's tests have."""
    return [labelled_row(pipeline, number) for number in range(first, last)]


def finish(bench: Workbench) -> None:
    """A trainer takes everything in that there is, and ends."""
    trainer = bench.start()
    bench.wait_until_covered()
    wait_for(lambda: not bench.without_pictures(newest=10))
    trainer.kill()
    trainer.wait()


def same_decisions(bench: Workbench) -> bool:
    """Whether what was decided after the first model is what is decided without any kill."""
    undisturbed = Driver(bench.pipeline, rows(bench.pipeline, 0, FIRST))
    undisturbed.rows(rows(bench.pipeline, FIRST, bench.state().covered))
    return [(d.trigger, d.verdict, d.at) for d in bench.decisions()][2:] == undisturbed.verdicts()


def stranger(bench: Workbench) -> None:
    """Somebody announces while a registered model waits: its decision fails, the trainer goes on."""
    bench.label(rows(bench.pipeline, bench.state().covered, bench.state().covered + THEN))
    bench.kill_at("register", lambda first, last: rows(bench.pipeline, first, last))
    current = bench.models().current
    assert current is not None
    announcer = Announcer(bench.pipeline, bench.reader, bench.writer, lambda: 1)
    serving = current.announcement
    taken = announcer.announce(current.epoch, "strange", Parts(serving.model, serving.profile), "test", "stranger")
    trainer = bench.start()
    bench.wait_until_covered()
    wait_for(lambda: len(bench.abandoned()) == 1)
    assert trainer.poll() is None, "the trainer ended at a stranger's announcement"
    assert [d.decision_id for d in bench.decisions() if d.verdict == "failed"] == list(bench.abandoned())
    later = [a.announcement.replaces for a in bench.models().accepted if a.epoch > taken.epoch]
    assert later[0] == taken.epoch, "the next promotion replaces what the stranger announced"


def figures(bench: Workbench, kills: int, *, same: bool) -> Figures:
    """What the topics and the registry hold at last."""
    accepted = Counter(a.announcement.decision_id for a in bench.models().accepted)
    promoted = {d.decision_id for d in bench.decisions() if d.verdict == "promoted"}
    found = Figures(
        steps=tuple(STEPS), kills=kills, rows=bench.state().covered, decisions=len(bench.decisions()),
        announced=sum(accepted.values()), announced_per_decision_max=max(accepted.values()),
        missing=len(promoted - set(accepted)), refused=len(bench.announcements()) - sum(accepted.values()),
        abandoned=len(bench.abandoned()), without_pictures=len(bench.without_pictures()), same_decisions=same)
    assert (found.announced_per_decision_max, found.missing, found.refused, found.abandoned) == (1, 0, 1, 1), found
    return found


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    run_alone(run)
