"""Who comes in, what they are told, and what anybody may see."""

import re

import pytest
from prometheus_client import generate_latest

from doors.entry import DOCS
from tests.doors.conftest import OpenDoor

SHAPE = {"what", "where", "remedy", "rows", "more_rows"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ann-has-a-long-toke", "Basic ann-has-a-long-token",
                                    "ann-has-a-long-token", "Bearer \xff\xfe"])
def test_a_stranger_is_told_what_to_send_and_not_what_is_there(entrance: OpenDoor, header: str | None) -> None:
    headers = [] if header is None else [(b"Authorization", header.encode("latin-1"))]
    with entrance.client() as client:
        del client.headers["Authorization"]
        for path in ("/bring", "/nowhere"):
            answer = client.post(path, content=b"x", headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert set(answer.json()) == SHAPE


def test_a_caller_is_known_by_the_name_of_the_token(entrance: OpenDoor) -> None:
    for caller in ("ann", "bob"):
        with entrance.client(caller) as client:
            assert client.post("/bring", content=b"123").json() == {"size": 3, "caller": caller}


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/nowhere", 404), ("PUT", "/bring", 405)])
def test_an_unknown_way_has_the_shape_of_every_refusal(entrance: OpenDoor, method: str, path: str, status: int) -> None:
    with entrance.client() as client:
        answer = client.request(method, path)
        assert (answer.status_code, set(answer.json())) == (status, SHAPE)


def test_a_defect_is_told_without_its_details(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        answer = client.post("/bring", content=b"defect")
        assert (answer.status_code, set(answer.json())) == (500, SHAPE)
        assert "secret" not in answer.text
        assert client.post("/bring", content=b"").status_code == 200


def test_readiness_says_why_not(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        del client.headers["Authorization"]
        assert client.get("/readyz").json() == {"ok": True, "trouble": ""}
        entrance.trouble = "no broker answers"
        assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)
        assert client.get("/readyz").json() == {"ok": False, "trouble": "no broker answers"}


def test_the_page_tells_of_every_route_and_fetches_nothing(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        page, document = client.get(DOCS), client.get(f"{DOCS}/openapi.json").json()
        assert page.headers["content-type"].startswith("text/html")
        assert all(f"{path}</code>" in page.text for path in document["paths"])
        assert not re.search(r"(src|href)\s*=\s*\W?\w+://|<script|@import|url\(", page.text)
        assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_requests_are_counted_by_route_and_not_by_what_clients_make_up(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        client.post("/made-up-path")
        client.post("/bring")
    page = generate_latest(entrance.metrics.registry).decode()
    lines = [line for line in page.splitlines() if "automl_stream_http_requests_total{" in line]
    assert any('route="/bring",status="200"' in line for line in lines)
    assert any('route="other"' in line for line in lines)
    assert not any("made-up" in line for line in lines)


def test_what_alerts_tell_of_is_counted_from_the_start(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        client.get("/readyz")
    page = generate_latest(entrance.metrics.registry).decode()
    counted = re.findall(r'http_requests_total\{route="/bring",status="(\d+)"\} 0\.0', page)
    assert counted == ["429", "500", "503"]
