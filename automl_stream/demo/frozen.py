"""The first model, frozen: what it would have answered to the rows that the live loop answered."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from automl_stream.demo.quality import Answers
from automl_stream.topic_log import Log, TopicLog
from automl_stream.verify.artifacts import Shelf
from kafka_access.access import KafkaAccess
from schemas.codec import FeatureMatrix, decode
from schemas.messages import Artifact, ModelAnnouncement, Prediction
from schemas.model_file import ModelMetadata
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS, MODEL_UPDATES, topic_name
from stream_apps.model_slot import open_session, run_session


class FrozenModel:
    """One model of the pipeline, run beside the loop."""

    def __init__(self, pipeline: Pipeline, session: Any, metadata: ModelMetadata) -> None:
        self.metadata = metadata
        self._session = session
        self._matrix = FeatureMatrix(pipeline.features)
        self._codes = metadata.codes()

    @classmethod
    def open(cls, pipeline: Pipeline, artifact: Artifact, artifacts: Log) -> Self:
        """The announced model, from the log of `model-artifacts`."""
        return cls(pipeline, *open_session(Shelf.of(artifacts).bytes_of(artifact), pipeline))

    def answers(self, predictions: Sequence[Prediction], classes: Sequence[str] = ()) -> Answers:
        """Its answers to the same rows; probabilities in the order of `classes`, its own where none are given."""
        numbers, discrete = self._matrix.split([tuple(p.features) for p in predictions])
        output = run_session(self._session, self.metadata, self._matrix.join(numbers, discrete, self._codes))
        if self.metadata.task == "regression":
            return Answers(labels=output.tolist(), probabilities=None)
        order = list(classes or self.metadata.classes)
        table = np.zeros((len(output), len(order)))
        table[:, [order.index(name) for name in self.metadata.classes]] = output
        return Answers(labels=[self.metadata.classes[k] for k in output.argmax(axis=1)], probabilities=table)


def read_first_model(pipeline: Pipeline, access: KafkaAccess) -> FrozenModel:
    """The model of the first announcement."""
    updates, artifacts = (topic_name(pipeline.name, topic) for topic in (MODEL_UPDATES, MODEL_ARTIFACTS))
    kafka = TopicLog(access)
    try:
        logs = kafka.read({name: kafka.bounds(name) for name in (updates, artifacts)})
    finally:
        kafka.close()
    first = decode(logs[updates].records[0].value or b"", ModelAnnouncement)
    return FrozenModel.open(pipeline, first.model, logs[artifacts])
