"""Announcements, their artifacts and the decisions behind them agree."""

from collections import Counter
from collections.abc import Iterator

from automl_stream.verify.artifacts import BadArtifact, Shelf
from automl_stream.verify.difference import Difference, Seen
from automl_stream.verify.reading import Reading
from schemas.model_log import Accepted
from schemas.topics import MODEL_ARTIFACTS

MODELS = "models"
LET_SERVE = ("promoted", "rolled-back")
KEPT_CHAMPIONS = 20  # the trainer may remove the artifacts of earlier ones


def check_models(reading: Reading, seen: Seen) -> Iterator[Difference]:
    """Artifacts of accepted announcements verify; each has one decision: `promoted`, `rolled-back`, or `settled` for
    a new profile.

    A decision that lets a model serve has one announcement; a settled incident may keep its profile.
    """
    accepted = reading.models.accepted
    seen.count = len(accepted)
    shelf = Shelf.of(reading.recording.log(MODEL_ARTIFACTS))
    for index, model in enumerate(accepted):
        yield from _artifacts(model, shelf, may_be_gone=index < len(accepted) - KEPT_CHAMPIONS)
    yield from _decisions(reading)


def _artifacts(model: Accepted, shelf: Shelf, *, may_be_gone: bool) -> Iterator[Difference]:
    announcement = model.announcement
    for kind, artifact in (("model", announcement.model), ("profile", announcement.profile),
                           ("reference of predictions", announcement.predictions)):
        if artifact is None:
            continue
        try:
            shelf.bytes_of(artifact)
        except BadArtifact as error:
            if not (error.gone and may_be_gone):
                yield _difference(model.epoch, f"{kind} {artifact.digest} of {artifact.size} bytes", str(error))


def _decisions(reading: Reading) -> Iterator[Difference]:
    taken = {(e.message.verdict, e.message.decision_id): e.message for e in reading.decisions}
    announced = Counter(model.announcement.decision_id for model in reading.models.accepted)
    for model in reading.models.accepted:
        verdicts = ("settled",) if model.announcement.reason == "profile" else LET_SERVE
        said = (taken.get((verdict, model.announcement.decision_id)) for verdict in verdicts)
        decision = next((decision for decision in said if decision is not None), None)
        if decision is None:
            yield _difference(model.epoch, f"a decision {model.announcement.decision_id}, {' or '.join(verdicts)}",
                              "none")
        elif decision.version not in (None, model.announcement.version):
            yield _difference(model.epoch, f"version {decision.version} of decision {decision.decision_id}",
                              f"version {model.announcement.version}")
    for verdict, decision_id in taken:
        if verdict in LET_SERVE and announced[decision_id] != 1:
            yield Difference(check=MODELS, where=f"decision {decision_id}, {verdict}",
                             expected="exactly one accepted announcement", found=str(announced[decision_id]))


def _difference(epoch: int, expected: str, found: str) -> Difference:
    return Difference(check=MODELS, where=f"model-updates 0/{epoch}", expected=expected, found=found)
