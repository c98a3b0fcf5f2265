"""`python -m tests.trainer.model_digests`: the digest of a small model of every family and task, in a process that does
without data frames, as the trainer's."""

import sys
from collections.abc import Iterator
from hashlib import sha256
from typing import get_args

from schemas.messages import Recipe
from schemas.pipeline import Family, Task, parse_pipeline
from tests.trainer.conftest import DEFINITION, labelled_row
from trainer.__main__ import NotInstalled
from trainer.candidates import fit
from trainer.history import History
from trainer.onnx_export import export

TASKS = get_args(Task)
FAMILIES = get_args(Family)
SMALL: dict[str, dict[str, float]] = {  # parameters that fit fast
    "lightgbm": {"trees": 10}, "forest": {"leaves": 32}, "mlp": {"epochs": 10}}


def digests() -> Iterator[tuple[str, str, str]]:
    """Task, family and SHA-256 of the ONNX file."""
    for task in TASKS:
        pipeline = parse_pipeline(DEFINITION.format(name="rows", task=task), "test")
        history = History(pipeline)
        for number in range(150):
            history.append(number, labelled_row(pipeline, number))
        data = history.dataset(0, 149)
        for family in FAMILIES:
            recipe = Recipe(family=family, window="all", dataset=data.dataset, seed=0,
                            parameters={**SMALL.get(family, {})})
            yield task, family, sha256(export(fit(pipeline, recipe, data))).hexdigest()


if __name__ == "__main__":
    sys.meta_path.insert(0, NotInstalled())
    for line in digests():
        sys.stdout.write(" ".join(line) + "\n")
