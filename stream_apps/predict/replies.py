"""What the models in charge say to questions: the stream's own step, without what is only counted. No I/O."""

from collections.abc import Sequence

from msgspec import Struct

from schemas.codec import FeatureMatrix
from schemas.messages import LabelValue, Model
from schemas.pipeline import Pipeline
from stream_apps.answers import answer
from stream_apps.model_slot import Slots
from stream_apps.predict.questions import Question, Unanswerable


class Reply(Struct, frozen=True, kw_only=True):
    """One answer, as `Prediction` has it."""

    model: Model
    prediction: LabelValue
    score: float
    probabilities: list[float] | None


class Replier:
    """Answers questions of one pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._matrix = FeatureMatrix(pipeline.features)

    def replies(self, questions: Sequence[Question], slots: Slots) -> list[Reply | Unanswerable]:
        """The answer to each question, or why its model has none."""
        numbers, discrete = self._matrix.split([question.values for question in questions])
        answers, unanswered = answer([question.key for question in questions], numbers, discrete, slots, self._matrix)
        if unanswered:
            rest = iter(self.replies([q for row, q in enumerate(questions) if row not in unanswered], slots))
            return [Unanswerable("poison", unanswered[row]) if row in unanswered else next(rest)
                    for row in range(len(questions))]
        return [Reply(model=model, prediction=label, score=score, probabilities=probabilities)
                for model, label, score, probabilities in zip(
                    answers.models, answers.labels, answers.scores, answers.probabilities, strict=False)]
