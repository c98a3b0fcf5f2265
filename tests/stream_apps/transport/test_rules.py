"""The transport's promises, with real processes on a real broker, and an oracle on the ids that go in and come out."""

import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition

from kafka_access.access import KafkaAccess

from .lab import SESSION_SECONDS, Lab, Verdict, compare, until

QUICK_SECONDS = 10.0  # of a stop on a busy machine; a stop that hangs is ended after 15 s
PATIENT_SECONDS = 20.0  # of draining, where a busy machine must not be the reason for a repeated row


@pytest.fixture
def lab(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(kafka, tmp_path)
    yield lab
    lab.close()


def finish(lab: Lab) -> Verdict:
    """End the flow, wait until all of it is committed, and compare."""
    lab.stop_flow()
    until(lab.all_committed, "the commit of every row")
    verdict = lab.verdict()
    print(verdict)  # noqa: T201  # shown with -s or on failure
    return verdict


def commit_goes_on(lab: Lab, rows: int = 2000) -> None:
    """Wait until the group has committed `rows` rows more: past the start, where a backlog is read at once."""
    before = sum(max(offset, 0) for offset in lab.committed())
    until(lambda: sum(max(offset, 0) for offset in lab.committed()) >= before + rows, "commits")


def test_the_oracle_sees_a_lost_a_repeated_and_an_unknown_row() -> None:
    rows = {b"a", b"b", b"c"}
    assert compare(rows, [b"a", b"b", b"c"]) == Verdict(rows=3, lost=0, repeated=0, unknown=0)
    assert compare(rows, [b"a", b"c"]).lost == 1
    assert compare(rows, [b"a", b"b", b"b", b"c"]).repeated == 1
    assert compare(rows, [b"a", b"b", b"C"]) == Verdict(rows=3, lost=1, repeated=0, unknown=1)


def test_a_steady_flow_of_two_topics_comes_out_once_and_the_stop_is_quick_and_commits_everything(lab: Lab) -> None:
    lab.write(3000, lab.more)
    lab.start("w", topics=[lab.events, lab.more])
    lab.start_flow()
    until(lambda: lab.written() >= 8000, "the flow")
    lab.stop_flow()
    until(lambda: lab.written() == len(lab.confirmed), "every row")
    code, seconds = lab.stop("w")
    print(f"stopped in {seconds:.2f} s")  # noqa: T201
    assert code == 0, lab.log("w").read_text()
    assert seconds < QUICK_SECONDS
    assert lab.verdict() == Verdict(rows=len(lab.confirmed), lost=0, repeated=0, unknown=0)
    assert (lab.committed(), lab.committed(lab.more)) == (lab.ends(), lab.ends(lab.more))


def test_a_stop_under_load_commits_what_it_wrote_so_that_the_next_worker_repeats_nothing(lab: Lab) -> None:
    lab.start_flow()
    lab.start("first", instance="w", drain_seconds=PATIENT_SECONDS)
    until(lambda: lab.written() >= 3000, "the flow")
    code, seconds = lab.stop("first")
    print(f"stopped in {seconds:.2f} s")  # noqa: T201
    assert code == 0, lab.log("first").read_text()
    assert seconds < QUICK_SECONDS
    lab.start("second", instance="w")
    until(lambda: lab.journal("second", "chunk"), "the second worker")
    verdict = finish(lab)
    assert (verdict.lost, verdict.repeated, verdict.unknown) == (0, 0, 0)


def test_a_kill_in_the_middle_loses_nothing(lab: Lab) -> None:
    lab.start_flow()
    for name in ("first", "second", "third"):
        lab.start(name, instance="w")
        commit_goes_on(lab, 3000)
        if name != "third":
            lab.stop(name, signal.SIGKILL)
    verdict = finish(lab)
    assert (verdict.lost, verdict.unknown) == (0, 0)


def test_a_worker_frozen_past_its_session_loses_nothing_and_ends_or_joins_again(lab: Lab) -> None:
    lab.start_flow()
    lab.start("frozen")
    commit_goes_on(lab)
    lab.workers["frozen"].send_signal(signal.SIGSTOP)
    lab.start("other")
    until(lambda: lab.journal("other", "chunk"), "the takeover", SESSION_SECONDS + 20)
    lab.workers["frozen"].send_signal(signal.SIGCONT)
    until(
        lambda: lab.workers["frozen"].poll() is not None or len(lab.journal("frozen", "assigned")) > 1,
        "the frozen worker to find out",
    )
    verdict = finish(lab)
    assert (verdict.lost, verdict.unknown) == (0, 0)


def test_workers_that_join_and_leave_lose_and_repeat_nothing(lab: Lab) -> None:
    lab.start_flow()
    lab.start("first", drain_seconds=PATIENT_SECONDS)
    commit_goes_on(lab)
    lab.start("second", drain_seconds=PATIENT_SECONDS)
    until(lambda: lab.journal("second", "chunk"), "the second worker's first chunk")
    commit_goes_on(lab)
    assert lab.stop("first")[0] == 0
    until(lambda: lab.journal("second", "assigned")[-1]["partitions"] == [0, 1], "the second worker to have all")
    verdict = finish(lab)
    assert (verdict.lost, verdict.repeated, verdict.unknown) == (0, 0, 0)


def test_an_exception_in_an_agent_ends_the_process_and_the_next_one_loses_nothing(lab: Lab, tmp_path: Path) -> None:
    fail = tmp_path / "fail"
    lab.start_flow()
    worker = lab.start("first", instance="w", fail=fail)
    commit_goes_on(lab)
    fail.touch()
    assert worker.wait(20) != 0
    assert "asked to fail" in lab.log("first").read_text()
    lab.start("second", instance="w")
    until(lambda: lab.journal("second", "chunk"), "the second worker")
    verdict = finish(lab)
    assert (verdict.lost, verdict.unknown) == (0, 0)


def test_chunks_completed_after_an_incomplete_one_are_not_committed_and_a_kill_loses_nothing(lab: Lab) -> None:
    lab.write(5000)
    lab.start("first", instance="w", hold_at=1200)
    until(lambda: lab.written() == 5000, "every row")
    held = {note["partition"]: note["first"] for note in lab.journal("first", "chunk") if note["first"] <= 1200}
    until(lambda: lab.committed() == [held[0], held[1]], "the commit of the prefix")
    lab.stop("first", signal.SIGKILL)
    lab.start("second", instance="w")
    until(lab.all_committed, "the commit of every row")
    assert lab.committed() == lab.ends()
    first_read = {note["partition"]: note["first"] for note in reversed(lab.journal("second", "chunk"))}
    assert first_read == held
    verdict = lab.verdict()
    assert (verdict.lost, verdict.unknown) == (0, 0)
    assert verdict.repeated == sum(lab.ends()) - sum(held.values())


def test_reading_resumes_at_the_checkpoint_and_not_at_the_commit(lab: Lab) -> None:
    lab.write(1000, partition=0)
    lab.write(1000, partition=1)
    lab.start("first", instance="w")
    until(lab.all_committed, "the commit of every row")
    lab.stop("first")
    lab.start("second", instance="w", resume_at={0: 700, 1: 1000})
    until(lambda: lab.journal("second", "chunk"), "the second worker")
    lab.write(10, partition=1)
    until(lambda: len(lab.journal("second", "chunk")) == 2, "a chunk of each partition")
    firsts = {note["partition"]: note["first"] for note in lab.journal("second", "chunk")}
    assert firsts == {0: 700, 1: 1000}


def test_rows_that_retention_removed_are_told_before_rows_flow(lab: Lab) -> None:
    lab.write(1000, partition=0)
    lab.start("first", instance="w")
    until(lambda: lab.committed()[0] == 1000, "the commit")
    lab.stop("first")
    lab.write(1000, partition=0)
    delete_before(lab, 1500)
    lab.start("second", instance="w")
    until(lambda: lab.journal("second", "chunk"), "the first chunk")
    assert lab.journal("second", "expired") == [{"what": "expired", "partition": 0, "wanted": 1000, "first": 1500}]
    assert lab.journal("second", "chunk")[0]["first"] == 1500


def test_rows_that_retention_removes_while_the_partition_is_read_are_told_too(lab: Lab, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    for _ in range(20):
        lab.write(300, partition=0)  # a batch each, of which one fetch holds one
    lab.start("slow", gate=gate, chunk_rows=20, fetch_bytes=4096)
    until(lambda: lab.journal("slow", "chunk"), "the first chunk")
    delete_before(lab, 5000)
    gate.touch()
    until(lambda: lab.committed()[0] == 6000, "the commit of every row that is left")
    (told,) = lab.journal("slow", "expired")
    chunks = lab.journal("slow", "chunk")
    edges = [(before["end"], after["first"]) for before, after in pairwise(chunks) if before["end"] != after["first"]]
    assert edges == [(told["wanted"], told["first"])]
    assert told["first"] == 5000


def test_rows_of_an_aborted_transaction_are_not_handed_out_and_the_markers_do_not_hide_the_end(lab: Lab) -> None:
    producer = Producer({**lab.kafka.librdkafka(), "transactional.id": lab.group})
    producer.init_transactions()
    commit, abort = producer.commit_transaction, producer.abort_transaction
    for name, end in (("a", commit), ("b", abort), ("c", commit)):
        producer.begin_transaction()
        for n in range(10):
            producer.produce(lab.events, f"{name}{n}".encode(), partition=0)
        producer.flush()  # an abort drops what is not sent yet: there would be nothing to hide
        end()
    lab.start("w")
    end = {"what": "caught up", "topic": lab.events, "partition": 0, "position": 33}  # three markers
    until(lambda: end in lab.journal("w", "caught up"), "the end")
    assert sorted(lab.rows(lab.output)) == [f"{name}{n}".encode() for name in "ac" for n in range(10)]


def delete_before(lab: Lab, offset: int) -> None:
    (done,) = lab.admin.delete_records([TopicPartition(lab.events, 0, offset)]).values()
    assert done.result().low_watermark == offset
