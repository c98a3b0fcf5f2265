"""What the session makes of an announcement that no trainer made."""

from collections.abc import Callable
from typing import Any

from schemas.messages import LabelledEvent, TrainingDecision
from schemas.pipeline import Pipeline
from trainer.effects import Announced, Answer, Fitted, Promote, Refused, Took

STRANGE = 77


def test_what_was_gated_fails_and_the_next_promotion_replaces_the_stranger(
        make_pipeline: Callable[..., Pipeline], stream: Callable[[Pipeline, int, int], list[LabelledEvent]],
        make_driver: Callable[..., Any]) -> None:
    pipeline = make_pipeline()
    session = make_driver(pipeline, stream(pipeline, 0, 300)).session
    steps = session.rows(list(enumerate(stream(pipeline, 300, 900), 300)), 900)
    replaced: list[int] = []
    failed: list[TrainingDecision] = []
    answer: Answer = None
    try:
        while True:
            effect, answer = steps.send(answer), None
            if isinstance(effect, Promote):
                answer = Announced(epoch=STRANGE + len(replaced), version="2") if replaced else Refused(
                    reason="taken", epoch=STRANGE)
                replaced.append(effect.replaces)
            elif isinstance(effect, Fitted):
                answer = Took(seconds=0.0)
            elif isinstance(effect, TrainingDecision) and effect.verdict == "failed":
                failed.append(effect)
    except StopIteration:
        pass
    assert replaced[:3] == [0, STRANGE, STRANGE + 1]
    assert [decision.reason for decision in failed] == ["taken"]
    assert session.snapshot().champion_epoch == STRANGE + len(replaced) - 1
