"""What is answered with 2xx is in the topic as the score service reads it; what is not is told, row by row."""

import gzip
import json
from typing import Any

import httpx2
import msgspec
import pytest

from schemas.codec import EventCodec
from schemas.topics import LABELS
from tests.producers.api.conftest import TS, by_id, event
from tests.producers.conftest import Broker

NDJSON, CSV = {"Content-Type": "application/x-ndjson"}, {"Content-Type": "text/csv"}


def test_an_event_goes_on_byte_by_byte_with_its_entity_as_key_and_its_caller(
        till: httpx2.Client, module_broker: Broker) -> None:
    body = json.dumps(event("whole", note="kept"), indent=1).encode()
    answer = till.post("/events", content=body)
    assert (answer.status_code, answer.json()["acknowledged"]) == (200, 1)
    (record,) = by_id(module_broker)["whole"]
    assert (record.value(), record.key(), record.headers()) == (body, b"card-1", [("caller", b"till")])


def test_every_form_of_a_batch_brings_the_same_events(till: httpx2.Client, module_broker: Broker) -> None:
    rows = [event(f"form-{n}", ts=TS + n, entity=f"e{n}") for n in range(3)]
    header = "\ufeffentity,country,ts,event_id,online,amount"
    rows[1]["features"] = {"amount": -2.0, "country": None, "online": False}

    def renamed(form: str) -> list[dict[str, Any]]:
        return [row | {"event_id": f"{row['event_id']}-{form}"} for row in rows]

    lines = "\n".join(f"e{n},{row['features']['country'] or ''},{row['ts']},form-{n}-csv,"
                      f"{int(row['features']['online'])},{row['features']['amount']}" for n, row in enumerate(rows))
    forms = [
        till.post("/events/batch", json=renamed("json")),
        till.post("/events/batch", content="\n".join(map(json.dumps, renamed("lines"))) + "\n\n", headers=NDJSON),
        till.post("/events/batch", content=f"{header}\r\n{lines}\r\n", headers=CSV),
        till.post("/events/batch", content=gzip.compress(json.dumps(renamed("gzip")).encode()),
                  headers={"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip"}),
    ]
    assert [(answer.status_code, answer.json()["acknowledged"]) for answer in forms] == [(200, 3)] * 4, forms[2].text
    codec, found = EventCodec(module_broker.pipeline), by_id(module_broker)
    for n in range(3):
        events = [codec.decode(found[f"form-{n}-{form}"][0].value() or b"")
                  for form in ("json", "lines", "csv", "gzip")]
        assert len({msgspec.structs.replace(read, event_id="") for read in events}) == 1


@pytest.mark.parametrize(("changes", "status", "where"), [
    ({"features": {"amount": "much", "online": True}}, 422, "$.features.amount"),
    ({"features": {"online": True}}, 422, "$.features"),
    ({"ts": "soon"}, 422, "$.ts"),
    ({"ts": 2**62}, 422, "$.ts"),
    ({"ts": 4_000_000_000_000}, 422, "$.ts"),
    ({"event_id": ""}, 422, "$.event_id"),
    ({"event_id": "x\0"}, 422, "$.event_id"),
    ({"entity": "x" * 501}, 422, "$.entity"),
])
def test_an_event_that_would_be_a_dead_letter_is_refused_where_it_is_wrong(
        till: httpx2.Client, changes: dict[str, Any], status: int, where: str) -> None:
    answer = till.post("/events", json=event("wrong", **changes))
    assert (answer.status_code, answer.json()["where"]) == (status, where), answer.text
    assert answer.json()["what"]
    assert answer.json()["remedy"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[" * 200_000, b'{"a":' * 30_000, b"\xff\xfe{}", b"\x00", b'"\\ud800"', b"[1]x"])
def test_what_is_no_json_is_400_or_422_wherever_it_comes(till: httpx2.Client, body: bytes) -> None:
    for path in ("/events", "/labels"):
        assert till.post(path, content=body).status_code in (400, 422)
        for kind in ("application/json", "application/x-ndjson", "text/csv"):
            answer = till.post(f"{path}/batch", content=body, headers={"Content-Type": kind})
            assert answer.status_code in (400, 422), answer.text


def test_a_batch_with_bad_rows_sends_nothing_unless_they_may_be_skipped(
        till: httpx2.Client, module_broker: Broker) -> None:
    rows = [event(f"part-{n}") for n in range(5)]
    rows[1]["ts"], rows[3]["features"] = None, {}
    answer = till.post("/events/batch", json=rows)
    assert (answer.status_code, [row["row"] for row in answer.json()["rows"]]) == (422, [1, 3])
    assert not [name for name in by_id(module_broker) if name.startswith("part-")]
    answer = till.post("/events/batch", params={"bad_rows": "skip"}, json=rows)
    assert (answer.status_code, answer.json()["acknowledged"]) == (207, 3)
    assert [row["row"] for row in answer.json()["refused"]] == [1, 3]
    assert {name for name in by_id(module_broker) if name.startswith("part-")} == {"part-0", "part-2", "part-4"}
    assert till.post("/events/batch", params={"bad_rows": "skip"}, json=[{}]).status_code == 422
    assert till.post("/events/batch", params={"bad_rows": "perhaps"}, json=rows).status_code == 400


def test_a_retry_is_acknowledged_and_not_sent_again_however_it_is_written(
        till: httpx2.Client, module_broker: Broker) -> None:
    first = event("again")
    for body in (json.dumps(first), json.dumps(first, indent=2), json.dumps(dict(reversed(first.items())))):
        assert till.post("/events", content=body).json()["acknowledged"] == 1
    answer = till.post("/events/batch", json=[first, event("new"), event("new"), first])
    assert answer.json() == {"acknowledged": 4, "repeated": 3, "refused": [], "more_refused": 0}
    found = by_id(module_broker)
    assert (len(found["again"]), len(found["new"])) == (1, 1)


def test_an_event_is_never_amended(till: httpx2.Client, module_broker: Broker) -> None:
    till.post("/events", json=event("once"))
    answer = till.post("/events", json=event("once", ts=TS + 1))
    assert (answer.status_code, answer.json()["where"]) == (409, "$.event_id")
    assert till.post("/events", json=event("once", entity="other")).status_code == 200
    answer = till.post("/events/batch", json=[event("twice"), event("twice", ts=TS + 1)])
    assert [row["row"] for row in answer.json()["rows"]] == [1]
    assert len(by_id(module_broker)["once"]) == 2


@pytest.mark.parametrize(("text", "what"), [
    ("event_id,ts,amount,online,colour\n", "unknown: colour"),
    ("event_id,ts,online\n", "missing: amount"),
    ("event_id,ts,amount,online,online\n", "a column is there twice"),
    ("", "missing: event_id, ts, amount, online"),
    ("event_id,ts,amount,online\n", "there are no rows"),
    ('event_id,ts,amount,online\n"a"b,1,1,1\n', "no CSV"),
])
def test_a_table_that_does_not_fit_is_refused_as_a_whole(till: httpx2.Client, text: str, what: str) -> None:
    answer = till.post("/events/batch", content=text, headers=CSV)
    assert answer.status_code == 400
    assert what in answer.json()["what"]


def test_rows_of_a_table_are_told_by_their_number(till: httpx2.Client) -> None:
    text = "event_id,ts,amount,online\na,1,1,1\nb,1,1\n\nc,x,1,1\nd,1,y,1\n,1,1,1\n"
    answer = till.post("/events/batch", content=text, headers=CSV)
    assert [(row["row"], row["where"]) for row in answer.json()["rows"]] == [
        (1, "the row"), (2, "$.ts"), (3, "$.features.amount"), (4, "$.event_id")]


def test_other_kinds_of_batches_are_415(till: httpx2.Client) -> None:
    for kind in ("application/xml", "text/plain", ""):
        assert till.post("/events/batch", content=b"[]", headers={"Content-Type": kind}).status_code == 415


def test_sizes_end_where_the_acceptance_list_says(till: httpx2.Client) -> None:
    wide = event("wide", features={"amount": 1.0, "online": True, "country": "x" * (256 << 10)})
    assert till.post("/events", json=wide).status_code == 413
    assert till.post("/events/batch", json=[wide]).json()["rows"][0]["row"] == 0
    assert till.post("/events/batch", content=b" " * (8 << 20) + b"[]").status_code == 413
    assert till.post("/events/batch", content=b"{}\n" * 10_001, headers=NDJSON).status_code == 413


def test_a_label_goes_to_its_topic_with_whoever_says_so(till: httpx2.Client, module_broker: Broker) -> None:
    label = {"event_id": "l1", "entity": "card-1", "ts": TS, "label": 1}
    assert till.post("/labels", json=label).json()["acknowledged"] == 1
    assert till.post("/labels/batch", json=[label | {"event_id": "l2", "labeller": "desk"}]).status_code == 200
    text = f"event_id,ts,label,entity,revision\nl3,{TS},0,card-1,2\nl4,{TS},1,,\n"
    assert till.post("/labels/batch", content=text, headers=CSV).json()["acknowledged"] == 2
    records = [(record.key(), json.loads(record.value() or b"")) for record in module_broker.records(LABELS)]
    assert {said["event_id"]: (key, said["labeller"], said["label"], said["revision"]) for key, said in records} == {
        "l1": (b"card-1", "till", 1, 0), "l2": (b"card-1", "desk", 1, 0), "l3": (b"card-1", "till", "0", 2),
        "l4": (b"l4", "till", "1", 0)}


@pytest.mark.parametrize(("changes", "where"), [
    ({"ts": 2**62}, "$.ts"), ({"ts": "x"}, "$.ts"), ({"revision": 2**31}, "$.revision"),
    ({"revision": -1}, "$.revision"), ({"label": None}, "$.label"), ({"event_id": ""}, "$.event_id"),
    ({"label": "a\0"}, "$.label or $.labeller")])
def test_a_label_that_could_not_be_stored_is_refused(till: httpx2.Client, changes: dict[str, Any], where: str) -> None:
    answer = till.post("/labels", json={"event_id": "l", "entity": "", "ts": TS, "label": "1"} | changes)
    assert (answer.status_code, answer.json()["where"]) == (422, where), answer.text


def test_a_large_batch_is_all_there(till: httpx2.Client, module_broker: Broker) -> None:
    rows = [event(f"large-{n}", entity=str(n)) for n in range(10_000)]
    assert till.post("/events/batch", json=rows).json()["acknowledged"] == len(rows)
    assert len([name for name in by_id(module_broker) if name.startswith("large-")]) == len(rows)
