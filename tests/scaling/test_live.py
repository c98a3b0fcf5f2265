"""Two workers score while a third comes and goes and the pipeline is given more partitions: counts stay exact."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from automl_stream.partitions import raise_partitions
from automl_stream.verify.counts import recount
from automl_stream.verify.difference import Seen
from automl_stream.verify.reading import Reading
from automl_stream.verify.reports import check_reports
from drift.profile import ReferenceProfile
from kafka_access.access import KafkaAccess
from schemas.codec import decode
from schemas.messages import DriftReport, PartitionCount
from schemas.topics import DRIFT_STATS, PREDICTIONS
from stream_apps.closing import ClosedWindow
from stream_apps.drift_report import DriftJudge, Predictions
from tests.live import Live, differences
from tests.scaling.flow import Flow
from tests.tiny import artifact, predictions_bytes, profile_bytes


@pytest.fixture
def live(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Live]:
    live = Live(kafka, tmp_path)
    yield live
    live.close()


@pytest.fixture
def flow(live: Live, kafka: KafkaAccess) -> Iterator[Flow]:
    with Flow(live, kafka) as flow:
        yield flow


def test_partitions_are_raised_while_two_workers_score_and_windows_wait_for_the_new_ones(
        live: Live, flow: Flow, kafka: KafkaAccess) -> None:
    live.announce(1.0, -1)
    leader = live.start("score", "0")
    monitor = live.start("monitor")
    live.until(lambda: live.count(DRIFT_STATS) >= 1, "the first reports", 150)
    live.start("score", "1")
    live.until(lambda: partitions_of(live, "0") == partitions_of(live, "1") == 1, "both workers to have their share")
    # Restarted within its session, the leader of the group is not told that it is one: it must watch all the same.
    live.kill(leader)
    live.start("score", "0")
    said: list[str] = []
    raise_partitions(live.pipeline, kafka, 4, said.append)
    assert "4 partitions instead of 2" in said[0]
    live.until(lambda: {2, 3} <= live.checkpoints().keys(), "the new partitions to be scored")
    live.kill(monitor)  # the next one begins with two partitions again
    live.start("monitor")
    closed = live.count(DRIFT_STATS)
    live.until(lambda: live.count(DRIFT_STATS) >= closed + 2, "windows to close again")
    flow.end()
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert len(reading.predictions) == flow.sent
    assert [e.message for e in reading.window_counts if isinstance(e.message, PartitionCount)] == [
        PartitionCount(partitions=4, before=2)]
    reports = expected_reports(live, reading)
    live.until(lambda: live.count(DRIFT_STATS) >= len(reports), "all reports")
    assert [decode(r.value or b"", DriftReport) for r in live.records(DRIFT_STATS)] == reports
    assert list(check_reports(live.reading(), Seen())) == []
    assert {"2", "3"} <= reports[-1].covered.keys()


def expected_reports(live: Live, reading: Reading) -> list[DriftReport]:
    """What an offline recount of `events` says, window by window: no row is late."""
    recounted = recount(reading, Seen())
    profile = profile_bytes()
    reference = ReferenceProfile.decode(profile)
    judge = DriftJudge(pipeline=live.pipeline, profile=reference)
    predictions = Predictions(epoch=0, reference=ReferenceProfile.decode(predictions_bytes()))
    parts = {partition: {start: w for (start, _), w in found.final.items()}
             for partition, found in recounted.partitions.items()}
    reports = []
    for start in sorted({start for windows in parts.values() for start in windows}):
        windows = {p: windows[start] for p, windows in sorted(parts.items()) if start in windows}
        counts = np.sum([w.counts(reference.size) for w in windows.values()], axis=0)
        said = np.sum([w.predictions({0: predictions.reference.size})[0].counts for w in windows.values()], axis=0)
        closed = ClosedWindow(start=start, profile=artifact(profile).digest, profile_epoch=0, counts=counts,
                              rows=sum(len(w.rows) for w in windows.values()), predictions={0: said},
                              covered={str(p): w.covered or 0 for p, w in windows.items()})
        reports.append(judge.judge(closed, predictions=predictions)[0])
    return reports


def test_a_worker_that_comes_and_one_that_goes_cost_nothing_and_count_nothing_twice(live: Live, flow: Flow) -> None:
    live.announce(1.0, -1)
    live.start("score", "0")
    live.until(lambda: live.count(PREDICTIONS) > 0, "the first predictions")
    second = live.start("score", "1")
    live.until(lambda: partitions_of(live, "1") == 1, "the second worker to have its share")
    scored = live.count(PREDICTIONS)
    live.until(lambda: live.count(PREDICTIONS) > scored, "predictions of both")
    stop(live, second)
    live.until(lambda: partitions_of(live, "0") == 2, "the first worker to have everything again")
    flow.end()
    live.until(live.covered, "all events to be covered")
    reading = live.reading()
    assert differences(reading) == []
    assert len(reading.predictions) == flow.sent


def stop(live: Live, process: subprocess.Popen[bytes]) -> None:
    """In good order, as `scale` does."""
    process.terminate()
    assert process.wait(15) == 0
    live._processes.remove(process)


def partitions_of(live: Live, instance: str) -> int:
    """How many partitions a worker said last that it has."""
    lines = [json.loads(line) for line in live.log("score").read_text().splitlines() if line.startswith("{")]
    said = [line for line in lines if line.get("instance") == instance and line["event"] == "partitions assigned"]
    return len(said[-1]["covered"]) if said else 0
