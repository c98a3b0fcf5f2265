"""Answer, then learn: each row is answered before its label is heard, which comes a fixed number of rows later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.decisions.real_streams import DATA, ROOT
from producers.files import file_rows, open_table
from producers.labelled import labelled_rows
from producers.rows import Row
from schemas.messages import LabelledEvent, LabelValue
from schemas.pipeline import Pipeline, load_pipeline

AHEAD = 250  # rows that a peer is asked about at once; it is asked anew as soon as a label changed it


@dataclass(frozen=True)
class Stream:
    """Rows in their order under a pipeline; the first `first` train the first model and are not answered."""

    pipeline: Pipeline
    rows: Sequence[Row]
    first: int

    @cached_property
    def events(self) -> list[LabelledEvent]:
        """The same rows as the training log would have them.

        Raises:
            ValueError: where a row does not fit or has no usable label: then peers and we would judge other rows.
        """

        def left_out(row: Row, problem: str) -> None:
            raise ValueError(f"row {row.number} has no usable label or does not fit: {problem}")

        return list(labelled_rows(iter(self.rows), self.pipeline, "bench", left_out))


def load(name: str, rows: int | None = None, data: Path = DATA) -> Stream:
    """The rows of <name>.csv.gz under pipelines/<name>.toml, or the first `rows` of them; a fifth trains.

    Raises:
        UnusableFile: where the file is not there or is not what its pipeline says.
    """
    pipeline = load_pipeline(ROOT / "pipelines" / f"{name}.toml")
    read: Iterator[Row] = file_rows(open_table(data / f"{name}.csv.gz"), pipeline)
    found = list(islice(read, rows))
    return Stream(pipeline, found, len(found) // 5)


class Peer(Protocol):
    """Whoever answers rows of a stream and may learn from their labels. Rows are numbers of the stream."""

    def answer(self, first: int, last: int) -> Sequence[LabelValue]:
        """Answers to the rows from `first` on, at least one, at most to `last` (exclusive)."""
        ...

    def hear(self, row: int, answered: LabelValue) -> bool:
        """The label of a row that was answered so; whether later rows get another answer now."""
        ...


def prequential(peer: Peer, stream: Stream, delay: int = 0) -> list[LabelValue]:
    """What the peer answers to every row after the first part, labels `delay` rows late."""
    answers: list[LabelValue] = []
    row = stream.first
    while row < len(stream.rows):
        for answer in peer.answer(row, min(row + AHEAD, len(stream.rows))):
            answers.append(answer)
            due = row - delay
            row += 1
            if due >= stream.first and peer.hear(due, answers[due - stream.first]):
                break
    return answers


def quality(stream: Stream, answers: Sequence[LabelValue]) -> float:
    """Accuracy, or mean absolute error."""
    truth = [event.label for event in stream.events[stream.first:]]
    if stream.pipeline.task == "regression":
        return float(np.mean(np.abs(np.array(truth, dtype=np.float64) - np.array(answers, dtype=np.float64))))
    return float(np.mean([answer == label for answer, label in zip(answers, truth, strict=True)]))
