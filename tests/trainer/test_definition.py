"""A trainer never goes on with other features than those of the model that serves."""

from collections.abc import Callable
from types import SimpleNamespace

import onnx
import pytest
from msgspec.structs import replace
from onnx import helper

from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_file import METADATA_KEY, ModelMetadata
from schemas.model_log import NO_EPOCH, ModelLog
from schemas.pipeline import Feature, Pipeline
from trainer.errors import DefinitionChanged
from trainer.service import Trainer

Make = Callable[..., Pipeline]


def trainer_of(pipeline: Pipeline, served: tuple[Feature, ...]) -> Trainer:
    """A trainer of `pipeline` behind a model of the features `served`; it has nothing else."""
    metadata = ModelMetadata(task=pipeline.task, features=served, categories={}, classes=("no", "yes"))
    file = onnx.ModelProto()
    helper.set_model_props(file, {METADATA_KEY: metadata.to_json()})
    part, models = Artifact(digest="d", size=1, offset=0), ModelLog()
    models.offer(0, ModelAnnouncement(replaces=NO_EPOCH, version="7", model=part, profile=part, reason="bootstrap",
                                      decision_id="d", issued_at=0))
    trainer = Trainer.__new__(Trainer)  # without Kafka
    vars(trainer).update(_pipeline=pipeline, _announcer=SimpleNamespace(
        models=lambda: models, load=lambda _artifact: file.SerializeToString()))
    return trainer


def test_the_features_that_were_served_are_accepted(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    trainer_of(pipeline, pipeline.features)._require_same_features()


def test_features_that_changed_since_are_refused_with_the_version_that_serves(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    first, second, *others = pipeline.features
    for served in ((replace(first, name="before"), second, *others), (second, first, *others),
                   (replace(first, type="boolean"), second, *others), (second, *others)):
        with pytest.raises(DefinitionChanged, match=r"version 7, which serves.*another pipeline\.name"):
            trainer_of(pipeline, served)._require_same_features()
