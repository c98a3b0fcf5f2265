"""What Kafka tells of a pipeline's models: announcements in the order of the log, and the decisions behind them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from automl_stream.topic_log import TopicLog
from schemas.codec import decode
from schemas.messages import Command, DriftAlert, TrainerState, TrainingDecision, derived_id
from schemas.model_log import Accepted, ModelLog
from schemas.topics import COMMANDS, DRIFT_ALERTS, MODEL_UPDATES, TRAINER_STATE, TRAINING_DECISIONS, Topic, topic_name

POLICY = "policy"
TOLD_BY = (MODEL_UPDATES, TRAINING_DECISIONS, COMMANDS, DRIFT_ALERTS)


class History(Struct, frozen=True, kw_only=True):
    """`decisions`: the last word on each, by id; `commands`: by the id of the decision that answers them; `alerts`: in
    the order of the log; `state`: where the trainer stands, if there was one."""

    models: ModelLog
    decisions: dict[str, TrainingDecision]
    commands: dict[str, Command]
    alerts: list[DriftAlert]
    state: TrainerState | None

    @property
    def serving(self) -> frozenset[int]:
        """Epochs of the announcements that serve: the champion's, and a canary's."""
        now = self.models.serving(self.models.latest)
        return frozenset(a.epoch for a in (now.champion, now.canary) if a is not None) if now else frozenset()

    def announcements(self) -> list[Accepted]:
        """Accepted ones of either slot, oldest first."""
        return self.models.announced()[::-1]

    def of_version(self, version: str) -> list[Accepted]:
        """The accepted announcements of a version, oldest first."""
        return [a for a in self.announcements() if a.announcement.version == version]

    def origin(self, version: str) -> TrainingDecision | None:
        """The decision that the version was made for: the oldest with a recipe."""
        made = (self.decisions.get(a.announcement.decision_id) for a in self.of_version(version))
        return next((decision for decision in made if decision is not None and decision.recipe is not None), None)

    def who(self, accepted: Accepted) -> str:
        """Who wanted an announcement: an operator by name, or the policy."""
        command = self.commands.get(accepted.announcement.decision_id)
        return POLICY if command is None else command.by


def read_history(pipeline: str, log: TopicLog) -> History:
    """Everything up to now.

    Raises:
        MissingTopic: when the pipeline has no topics.
        KafkaUnavailable: when no broker answers.
    """
    names = {topic: topic_name(pipeline, topic) for topic in (*TOLD_BY, TRAINER_STATE)}
    logs = log.read({name: log.bounds(name) for name in names.values()})
    return fold({topic: [(record.offset, record.value) for record in logs[name].records if record.value is not None]
                 for topic, name in names.items()})


def fold(records: Mapping[Topic, Sequence[tuple[int, bytes]]]) -> History:
    """What records of these topics, (offset, value) in the order of the log, come to."""
    models = ModelLog()
    for offset, value in records[MODEL_UPDATES]:
        models.read(offset, value)
    commands = [decode(value, Command) for _, value in records[COMMANDS]]
    states = [decode(value, TrainerState) for _, value in records.get(TRAINER_STATE, ())]
    decisions = [decode(value, TrainingDecision) for _, value in records[TRAINING_DECISIONS]]
    return History(
        models=models, decisions={decision.decision_id: decision for decision in decisions},
        commands={answer_id(command.command_id): command for command in commands},
        alerts=[decode(value, DriftAlert) for _, value in records[DRIFT_ALERTS]], state=states[-1] if states else None)


def answer_id(command_id: str) -> str:
    """Id of the decision that answers a command."""
    return derived_id("command", command_id)
