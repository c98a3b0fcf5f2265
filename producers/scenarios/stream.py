"""What a stream is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Drawn = dict[str, NDArray[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Stream:
    """How a stream's rows are drawn.

    `draw(random, covariate, concept)` returns equally long columns, the label among them; the masks say for which rows
    inputs and rule have changed. `sensor` sticks at `stuck_at` in a sensor fault; `measured` comes with its `unit` in a
    schema break. `rows` and `label_delay` (rows) are what the demo takes.
    """

    rows: int
    label_delay: int = 0
    label: str
    entity: str
    sensor: str
    stuck_at: float
    measured: str
    unit: str
    draw: Callable[[np.random.Generator, Mask, Mask], Drawn]
