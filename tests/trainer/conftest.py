"""Streams that the tests train on, and the real broker."""

import math
import os
import random
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automl_stream.topics import create_topics
from kafka_access.access import KafkaAccess
from schemas.messages import (
    Command,
    CommandAction,
    Dataset,
    DriftAlert,
    LabelledEvent,
    Model,
    Recipe,
    TrainerState,
    TrainingDecision,
)
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline, Task, parse_pipeline
from tests.trainer.workbench import Workbench
from trainer.candidates import FittedExpert, fit
from trainer.effects import (
    Announced,
    Answer,
    Checkpoint,
    Fitted,
    Promote,
    Recall,
    RenewProfile,
    Steps,
    Took,
    Withdraw,
    recalled,
)
from trainer.errors import UnusableRows
from trainer.first_model import choose, first_state
from trainer.guards import Golden
from trainer.history import History, TrainingRows
from trainer.registration import Registration
from trainer.registry import Registry
from trainer.resume import resume
from trainer.session import Session
from trainer.settings import RegistrySettings
from trainer.tuning import Tuner

DEFINITION = """
[pipeline]
name = "{name}"
task = "{task}"
partitions = 1

[[features]]
name = "x"
type = "number"

[[features]]
name = "y"
type = "number"
optional = true

[[features]]
name = "colour"
type = "category"
optional = true

[[features]]
name = "open"
type = "boolean"
optional = true

[retraining]
refresh_labels = 100
windows = [200, "all"]
cooldown = "100s"
min_new_labels = 50

[gate]
min_rows = 50
"""

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]


@pytest.fixture(scope="session")
def make_pipeline() -> Callable[..., Pipeline]:
    """A small definition with every type of feature, for a task."""
    def make(task: Task = "binary", name: str = "rows") -> Pipeline:
        return parse_pipeline(DEFINITION.format(name=name, task=task), "test")
    return make


@pytest.fixture(scope="session")
def stream() -> Stream:
    """Rows `first` to `last` of a stream whose rule turns all the time; missing values in every optional feature."""
    def rows(pipeline: Pipeline, first: int, last: int) -> list[LabelledEvent]:
        return [labelled_row(pipeline, number) for number in range(first, last)]
    return rows


def labelled_row(pipeline: Pipeline, number: int) -> LabelledEvent:
    """Row `number` of that stream."""
    chance = random.Random(number)
    x, y = chance.gauss(0, 1), chance.gauss(0, 1)
    colour, is_open = chance.choice("rgb"), chance.random() < 0.5
    angle = number / 300
    value = math.cos(angle) * x + math.sin(angle) * y + (colour == "r") + 0.5 * is_open + chance.gauss(0, 0.2)
    label: str | float = {"binary": "yes" if value > 0.6 else "no", "multiclass": "abc"[(value > 0) + (value > 1)],
                          "regression": 10 * value}[pipeline.task]
    return LabelledEvent(
        event_id=str(number), entity="", ts=number * 1_000, source=f"bootstrap-f00d-{number}",
        pipeline_digest=pipeline.digest, label=label, labelled_ts=number * 1_000,
        features=[x, None if number % 7 == 0 else y, None if number % 11 == 0 else colour,
                  None if number % 13 == 0 else is_open],
    )


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> KafkaAccess:
    """A real broker: the one at TEST_BOOTSTRAP, or one made for the session."""
    named = os.environ.get("TEST_BOOTSTRAP")
    return KafkaAccess(servers=named) if named else request.getfixturevalue("backends").kafka


@pytest.fixture
def kafka_pipeline(kafka: KafkaAccess, make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline of this test alone, its topics made."""
    pipeline = make_pipeline("binary", f"t{uuid.uuid4().hex[:12]}")
    create_topics(pipeline, kafka)
    return pipeline


@pytest.fixture
def bench(kafka_pipeline: Pipeline, kafka: KafkaAccess, registry_settings: RegistrySettings,
          tmp_path: Path, definition: Callable[[Pipeline], str]) -> Iterator[Workbench]:
    """The pipeline of this test alone, for trainers that are processes."""
    bench = Workbench(kafka_pipeline, kafka, registry_settings, tmp_path, definition(kafka_pipeline))
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with its tables: making them takes ten seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "store.db"
    registry = Registry(RegistrySettings(tracking_uri=f"sqlite:///{file}", artifact_root=str(file.parent / "files")))
    metadata = ModelMetadata(task="binary", features=(), categories={}, classes=("no", "yes"))
    registry.register(Registration(model_name="made", decision_id="once", params={}, metrics={}, onnx=b"-",
                                   metadata=metadata, topic="made.labelled",
                                   rows=Dataset(first=0, last=1, rows=2, digest="0" * 64)))
    return file


@pytest.fixture
def registry_settings(migrated_store: Path, tmp_path: Path) -> RegistrySettings:
    """An MLflow store of this test alone."""
    shutil.copy(migrated_store, tmp_path / "store.db")
    return RegistrySettings(tracking_uri=f"sqlite:///{tmp_path / 'store.db'}", artifact_root=str(tmp_path / "files"))


@pytest.fixture
def definition() -> Callable[[Pipeline], str]:
    """The file that a pipeline of `make_pipeline` comes from."""
    return lambda pipeline: DEFINITION.format(name=pipeline.name, task=pipeline.task)


class Killed(Exception):
    """The trainer died here."""


class Driver:
    """Drives a session with answers of its own instead of Kafka and MLflow; fits are kept, they repeat a lot."""

    def __init__(self, pipeline: Pipeline, first_rows: list[LabelledEvent],
                 fits: dict[tuple[str, str, str], FittedExpert] | None = None,
                 golden: list[LabelledEvent] | None = None, tuner: Tuner | None = None) -> None:
        self.pipeline = pipeline
        self.golden = None if golden is None else Golden(rows=History(pipeline).rows_of(golden), digest="f00d")
        self.log = list(enumerate(first_rows))
        self.decisions: list[TrainingDecision] = []
        self.promotions: list[Promote] = []
        self.withdrawals: list[Withdraw] = []
        self.profiles: list[RenewProfile] = []
        self.checkpoints: list[TrainerState] = []
        self.fail_fits = False
        self.fits_take = 0.0  # seconds a round
        self.effects = 0
        self.killed_after: int | None = None  # effects
        self.tuner = tuner or Tuner()
        self._epochs: dict[str, int] = {}
        self._versions: dict[str, str] = {}
        self._fits = {} if fits is None else fits
        history = History(pipeline)
        for offset, event in self.log:
            history.append(offset, event)
        data = history.dataset(0, len(self.log) - 1)
        first = choose(pipeline, data)
        self._versions[first.decision_id] = "1"
        self.first_expert = self._fit(pipeline, first.recipe, data)
        self._first = TrainingDecision(decision_id=first.decision_id, incident_id=None, trigger="bootstrap",
                                       verdict="promoted", reason="", at=0, recipe=first.recipe, version="1")
        self.session = self.resume(first_state(pipeline, data, first, 0))

    def resume(self, state: TrainerState) -> Session:
        """A session that stands on `state`; it drives on from there."""
        self.session = resume(self.pipeline, state, self.log[: state.covered], self._fit, self.golden, self.tuner)
        self.saved = state
        return self.session

    def answers_like(self, other: "Driver") -> None:
        """Announcements get the epochs that they got there."""
        self._epochs, self._versions = dict(other._epochs), dict(other._versions)

    def rows(self, events: list[LabelledEvent], batch: int = 1_000) -> None:
        """Labelled rows arrive, in batches."""
        begin = self.session.snapshot().covered
        self.log[begin:] = list(enumerate(events, begin))
        for first in range(begin, len(self.log), batch):
            part = self.log[first : first + batch]
            self._drive(self.session.rows(part, first + len(part)))
            self.saved = self.session.snapshot()

    def alert(self, onset: int, alert_id: str = "a1") -> None:
        """A window that began at the row `onset` was alarming."""
        offset = self.session.snapshot().covered_alerts
        self._drive(self.session.alert(offset, DriftAlert(
            alert_id=alert_id, kind="covariate", window_start=onset * 1_000, window_end=onset * 1_000 + 10_000,
            scale=1, onset=onset * 1_000, features=["x"], sentence="x moved", budget="", profile="",
            model=Model(version="1", digest="", epoch=0), labelled_offset=0)))

    def command(self, action: CommandAction, version: str | None = None, share: float | None = None) -> None:
        """An operator says something, now."""
        state = self.session.snapshot()
        self._drive(self.session.command(state.covered_commands, Command(
            command_id=f"k{state.covered_commands}", action=action, version=version, share=share, by="ada",
            labelled_offset=state.covered, issued_at=0)))

    def configure(self, offset: int, pipeline: Pipeline) -> None:
        """A version of the definition is published, now."""
        self.pipeline = pipeline
        self._drive(self.session.configuration(offset, pipeline))

    @property
    def champion(self) -> str | None:
        """Version that serves."""
        return self.session.snapshot().champion.version

    def verdicts(self) -> list[tuple[str, str, int]]:
        """What was decided, in order: trigger, verdict, offset."""
        return [(d.trigger, d.verdict, d.at) for d in self.decisions]

    def _drive(self, steps: Steps) -> None:
        answer: Answer = None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(effect, TrainingDecision):
                self.decisions.append(effect)
            elif isinstance(effect, Checkpoint):
                self.checkpoints.append(effect.state)
                self.saved = effect.state
            elif isinstance(effect, Recall):
                answer = recalled([self._first, *self.decisions], effect.named)
            elif isinstance(effect, Fitted):
                answer = Took(seconds=self.fits_take)
            else:
                answer = self._announce(effect)
            self.effects += 1
            if self.effects == self.killed_after:
                raise Killed

    def _announce(self, effect: Promote | RenewProfile | Withdraw) -> Announced:
        version = ""
        if isinstance(effect, Promote):
            self.promotions.append(effect)
            version = self._versions.setdefault(effect.registered, str(len(self._versions) + 1))
        elif isinstance(effect, RenewProfile):
            self.profiles.append(effect)
        else:
            self.withdrawals.append(effect)
        epoch = self._epochs.setdefault(effect.decision_id, len(self._epochs) + 1)
        return Announced(epoch=epoch, version=version, run="run")

    def _fit(self, pipeline: Pipeline, recipe: Recipe, data: TrainingRows) -> FittedExpert:
        if self.fail_fits:
            raise UnusableRows("the test wants it so")
        key = (recipe.family, str(recipe.parameters), data.dataset.digest)
        if key not in self._fits:
            self._fits[key] = fit(pipeline, recipe, data)
        return self._fits[key]


@pytest.fixture(scope="session")
def make_driver() -> type[Driver]:
    """A driver for a pipeline and the rows that its first model is trained on."""
    return Driver


@pytest.fixture(scope="session")
def make_killed() -> type[Killed]:
    """What a driver raises where it is told to die."""
    return Killed
