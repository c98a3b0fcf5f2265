"""Artifacts of the last 20 champions must be there; earlier ones may have been cleared away."""

import msgspec

from automl_stream.verify.difference import Seen
from automl_stream.verify.models import KEPT_CHAMPIONS, check_models
from automl_stream.verify.reading import read
from automl_stream.verify.recording import Recording
from schemas.topics import MODEL_ARTIFACTS

from .model import onnx_bytes, profile_bytes, tiny_pipeline
from .mutation import with_records
from .run import Run


def cleared(champions: int) -> Recording:
    """So many champions, and the first one's chunks are tombstones."""
    run = Run(pipeline=tiny_pipeline())
    for n in range(champions):
        run.announce(onnx_bytes(run.pipeline, float(n)), profile_bytes(float(n)))
    recording = run.recording()
    records = [msgspec.structs.replace(r, value=None) if r.offset < 4 else r
               for r in recording.log(MODEL_ARTIFACTS).records]
    return with_records(recording, MODEL_ARTIFACTS, records)


def test_the_bytes_of_an_early_champion_may_be_gone() -> None:
    assert list(check_models(read(cleared(KEPT_CHAMPIONS + 1)), Seen())) == []


def test_the_bytes_of_a_recent_champion_must_be_there() -> None:
    found = [d.found for d in check_models(read(cleared(KEPT_CHAMPIONS)), Seen())]
    assert found == ["no chunk from offset 0 on", "no chunk from offset 2 on"]
