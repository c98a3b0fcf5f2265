"""Windows in, alarms out: what a drift monitor of others is given, and what it answers. Needs numpy alone."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 100
SLOW_WINDOWS = 4  # of each stream, for a rule that takes too long for more

Matrix = NDArray[np.float64]
Answer = dict[str, Matrix]  # by name of a rule: (windows, features); fewer windows where it is slow


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Reference (m, features), rows before the windows (rows, features), and the windows (windows, 100, features).

    `total`: features that are watched, of which these may be a part; a level that is divided among features is divided
    among all of them. `rate`: false alarms a window that a corrected level is to give; 0 leaves such rules out.
    """

    reference: Matrix
    before: Matrix
    windows: Matrix
    total: int
    rate: float = 0.0

    def write(self, path: Path) -> None:
        """As an npz file."""
        np.savez(path, **vars(self))

    @classmethod
    def read(cls, path: Path) -> "Watched":
        """What `write` wrote."""
        with np.load(path) as data:
            return cls(reference=data["reference"], before=data["before"], windows=data["windows"],
                       total=int(data["total"]), rate=float(data["rate"]))


def answer_path(watched: Path, contender: str) -> Path:
    """Where the answer of a contender belongs."""
    return watched.with_suffix(f".{contender}.npz")


def answer(judge: Callable[[Watched], Answer]) -> None:
    """Judge what the paths on stdin hold, as the contender that the last argument names; a line when one is done."""
    for line in sys.stdin:
        path = Path(line.strip())
        arrays: dict[str, Any] = dict(judge(Watched.read(path)))
        np.savez(answer_path(path, sys.argv[-1]), **arrays)
        sys.stdout.write(line)
        sys.stdout.flush()


def read_answer(watched: Path, contender: str) -> Answer:
    """What `answer` wrote."""
    with np.load(answer_path(watched, contender)) as data:
        return {name: np.asarray(data[name], dtype=np.float64) for name in data.files}
