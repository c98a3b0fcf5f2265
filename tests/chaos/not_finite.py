"""Numbers that are none blind nobody: windows in alarm and alerts are those of the clean run.

JSON cannot carry NaN and infinity: a null is a missing value; 1e999, NaN and "NaN" make a dead letter; 1.7e308 is a
number that overflows the model's float32. Run: python -m tests.chaos.not_finite [--full] [--json]
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from kafka_access.access import KafkaAccess
from tests.chaos.command import run_alone
from tests.chaos.shapes import Keyed, Outcome, Shape, disordered, play
from tests.live import Live
from tests.tiny import definition

SHAPE = Shape(partitions=2, workers=1, kills=0)
KEPT = ("null", "1.7e308", "-1.7e308")
REFUSED = ("1e999", "-1e999", "NaN", "Infinity", "-Infinity", '"NaN"', '"inf"')


class Figures(Struct, frozen=True, kw_only=True):
    """Of all seeds. `sprinkled`: values replaced, by what; `alarms`: windows in alarm, the same in both runs."""

    seeds: int
    rows: int
    sprinkled: dict[str, int]
    windows: int
    alarms: int
    alerts: int
    same: bool


def run(kafka: KafkaAccess, directory: Path, full: bool) -> Figures:
    """Play clean and sprinkled rows, seed by seed.

    Raises:
        AssertionError: where the detections differ, or a row that cannot be read was counted.
    """
    rows, seeds, share = (40_000, 4, 0.02) if full else (4_000, 1, 0.02)
    sprinkled, windows, alarms, alerts = Counter[str](), 0, 0, 0
    for seed in range(seeds):
        clean = list(disordered(rows, seed))
        dirty, what = sprinkle(clean, seed, share)
        sprinkled += what
        expected, _ = play(Live(kafka, directory, defined), SHAPE, clean)
        found, _ = play(Live(kafka, directory, defined), SHAPE, dirty)
        assert detections(found) == detections(expected)
        refused = sum(what[text] for text in REFUSED)
        assert sum(count for count, _ in found.windows.values()) == rows - refused
        windows += len(expected.windows)
        alarms += len(detections(expected)[0])
        alerts += len(expected.alerts)
    assert 0 < alarms < windows
    return Figures(seeds=seeds, rows=rows, sprinkled=dict(sprinkled), windows=windows, alarms=alarms, alerts=alerts,
                   same=True)


def defined(name: str) -> str:
    """The tiny pipeline; so few missing values are not worth an alarm."""
    return definition(name).replace("scales = 2", "scales = 2\nmin_effect = 0.4")


def sprinkle(rows: list[Keyed], seed: int, share: float) -> tuple[list[Keyed], Counter[str]]:
    """The rows with a share of their numbers replaced, and how often by what."""
    chance, what = random.Random(seed), Counter[str]()

    def all_rows() -> Iterator[Keyed]:
        for entity, value in rows:
            if chance.random() >= share:
                yield entity, value
                continue
            text = chance.choice(KEPT + REFUSED)
            name = "b" if text == "null" else chance.choice("ab")
            what[text] += 1
            event = json.loads(value)
            event["features"][name] = "@"
            yield entity, json.dumps(event).replace('"@"', text).encode()

    return list(all_rows()), what


def detections(outcome: Outcome) -> tuple[list[int], list[tuple[int, str]]]:
    """Windows in alarm, and windows and kinds of the alerts."""
    return ([report["window_start"] for report in outcome.reports if report["alarm"]],
            [(alert["window_start"], alert["kind"]) for alert in outcome.alerts])


if __name__ == "__main__":
    run_alone(run)
