"""Models are swapped under load: somebody always answers."""

import threading
from collections import Counter

import httpx2
import pytest

from schemas.topics import EVENTS
from tests.live import differences
from tests.stream_apps.predict.conftest import Asked, event
from tests.stream_apps.predict.test_answers import recorded

SWAPS = 8


@pytest.mark.timeout(300)
def test_while_models_are_swapped_every_question_is_answered_and_every_answer_is_its_models(asked: Asked) -> None:
    epochs = [asked.announce(1.0, -1)]
    asked.open()
    asked.start("score")
    answers: list[httpx2.Response] = []
    ended = threading.Event()

    def ask() -> None:
        with asked.client() as client:
            while not ended.is_set():
                answers.append(client.post("/predict", json=event(len(answers))))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        asked.until(lambda: answers, "the first answer")
        for k in range(SWAPS):
            epochs.append(asked.announce(2.0 + k, epochs[-1]))
            asked.until(lambda: answers and answers[-1].json().get("model", {}).get("epoch") == epochs[-1], "the swap")
    finally:
        ended.set()
        asker.join()
    assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
    said = {answer.json()["source"]: answer.json() for answer in answers}
    assert {answer["model"]["epoch"] for answer in said.values()} == set(epochs)
    assert asked.count(EVENTS) == len(said)
    for source, prediction in recorded(asked).items():
        assert prediction["answered"] == said[source]["model"]["epoch"]
        if prediction["model"]["epoch"] == prediction["answered"]:
            assert prediction == said[source] | {"answered": prediction["answered"]}
    assert differences(asked.reading()) == []
