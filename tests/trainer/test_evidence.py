"""What is shown of a registered model, on models whose truth is known."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.messages import LabelledEvent, Recipe
from schemas.pipeline import Pipeline, Task
from trainer.candidates import fit
from trainer.evidence import BINS, Evidence, examine
from trainer.history import History, Rows
from trainer.onnx_export import export
from trainer.pictures import pictures
from trainer.reference import reference_profile

Stream = Callable[[Pipeline, int, int], list[LabelledEvent]]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def look(make_pipeline: Callable[..., Pipeline], stream: Stream) -> Callable[..., Evidence]:
    """Evidence of a model fitted on 300 rows of the stream; `change` alters the rows that are fitted on after the
    profile was made of them, `fresh` is how many follow."""
    def evidence(task: Task = "binary", change: Callable[[Rows], Rows] = lambda rows: rows,
                 fresh: int = 200) -> Evidence:
        pipeline = make_pipeline(task)
        history = History(pipeline)
        for offset, event in enumerate(stream(pipeline, 0, 300 + fresh)):
            history.append(offset, event)
        data = history.dataset(0, 299)
        profile = reference_profile(pipeline, data.rows)
        onnx = export(fit(pipeline, Recipe(family="logistic", window="all", dataset=data.dataset, seed=0), data))
        return examine(onnx, profile, change(data.rows), history.fresh(300, 299 + fresh), seed=0)
    return evidence


def test_a_fair_model_says_what_is_so_on_rows_after_its_fit(look: Callable[..., Evidence]) -> None:
    found = look()
    assert (found.rows, found.unseen, len(found.calibration)) == (200, True, BINS)
    assert sum(b.rows for b in found.calibration) == 200
    assert [b.said for b in found.calibration] == sorted(b.said for b in found.calibration)
    assert found.calibration[0].true < 0.1
    assert found.calibration[-1].true >= 0.9
    assert found.metrics["calibration_error"] < 0.2


def test_without_rows_after_the_fit_it_says_that_the_model_knew_them(look: Callable[..., Evidence]) -> None:
    found = look(fresh=0)
    assert (found.rows, found.unseen) == (300, False)


def test_the_feature_that_moved_against_the_profile_stands_out(look: Callable[..., Evidence]) -> None:
    def move(rows: Rows) -> Rows:
        return Rows(ts=rows.ts, numbers=rows.numbers + np.array([0.0, 2.0]), discrete=rows.discrete, labels=rows.labels)

    still, moved = look().psi, look(change=move).psi
    assert max(still.values()) < 0.05
    assert moved["y"] > 1
    assert moved["x"] == still["x"]


def test_the_features_that_the_labels_follow_matter_most(look: Callable[..., Evidence]) -> None:
    importance = look().importance
    assert list(importance) == ["x", "y", "colour", "open"]
    assert max(importance, key=lambda name: importance[name]) == "x"  # at first the stream's rule is x alone
    assert min(importance.values()) >= 0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_task_has_three_pictures(look: Callable[..., Evidence], task: Task) -> None:
    found = look(task)
    drawn = pictures(found)
    assert set(drawn) == {"predicted-against-true.png" if task == "regression" else "calibration.png", "drift.png",
                          "importance.png"}
    assert all(data.startswith(PNG) and len(data) > 3_000 for data in drawn.values())
    assert ("calibration_error" in found.metrics) == (task != "regression")


def test_a_feature_s_name_is_text_whatever_is_in_it(look: Callable[..., Evidence]) -> None:
    names: dict[str, Any] = {r"$\frac{1": 0.2, "a_b^c $": 0.1}
    assert pictures(replace(look(), psi=names))["drift.png"].startswith(PNG)
