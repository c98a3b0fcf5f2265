"""The topic `trainer-state`, as the one trainer that leads has it."""

from schemas.codec import decode, encode
from schemas.messages import TrainerState
from schemas.pipeline import Pipeline
from schemas.topics import TRAINER_STATE, topic_name
from trainer.errors import LostLeadership
from trainer.kafka_log import LogReader, LogWriter


class StateLog:
    """Reads where to go on from, and writes as long as nobody else does."""

    def __init__(self, pipeline: Pipeline, reader: LogReader, writer: LogWriter) -> None:
        self._key = pipeline.name
        self._topic = topic_name(pipeline.name, TRAINER_STATE)
        self._reader = reader
        self._writer = writer
        self._end = 0  # as far as this trainer knows it

    def read(self) -> TrainerState | None:
        """The furthest state: a trainer that had lost its place may have written an older one last."""
        _, self._end = self._reader.bounds(self._topic)
        states = [decode(record.value, TrainerState) for record in self._reader.read(self._topic, 0, self._end)
                  if record.value is not None]
        return max(reversed(states), default=None,
                   key=lambda state: (state.covered, state.covered_alerts, state.covered_commands))

    def require_sole(self) -> None:
        """A trainer that was paused past its session wakes up beside the one that leads now.

        Raises:
            LostLeadership: when another trainer has written since.
        """
        if self._reader.bounds(self._topic)[1] != self._end:
            raise LostLeadership(f"another trainer has written {self._topic}; starting again behind it")

    def write(self, state: TrainerState) -> None:
        """As `require_sole`, then write."""
        self.require_sole()
        self._end = self._writer.write(self._topic, self._key, encode(state)) + 1
