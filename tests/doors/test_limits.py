"""What clients do wrong costs them their request, and nobody else (fault 14 of the acceptance list)."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import psutil
import pytest

from doors.settings import Limits
from tests.doors.conftest import BODY_BYTES, TOKENS, OpenDoor
from tests.wait import wait_for

HEAD = f"POST /bring HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKENS['ann']}\r\n".encode()
MIB = 1 << 20
Opening = Callable[[Limits], OpenDoor]


def answered(connection: socket.socket) -> tuple[int, str]:
    """Status and `what` of the one answer before the connection is closed."""
    said = b""
    while chunk := connection.recv(65_536):
        said += chunk
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["what"]


def served(entrance: OpenDoor, caller: str = "bob") -> bool:
    with entrance.client(caller) as client:
        return client.post("/bring", content=b"123").json() == {"size": 3, "caller": caller}


def test_a_body_that_does_not_come_is_408_and_others_are_served_meanwhile(opening: Opening) -> None:
    entrance = opening(Limits(body_seconds=0.5))
    with ExitStack() as stack:
        slow = [stack.enter_context(entrance.connect()) for _ in range(20)]
        for connection in slow:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nabc")
        assert served(entrance)
        assert {answered(connection) for connection in slow} == {(408, "the body did not come within 0.5 s")}


def test_a_body_that_drips_is_408_however_often_a_drop_comes(opening: Opening) -> None:
    entrance = opening(Limits(body_seconds=0.5))
    with entrance.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        began = time.monotonic()
        while time.monotonic() - began < 2:
            try:
                connection.sendall(b"1\r\nx\r\n")
            except OSError:
                break
            time.sleep(0.05)
        assert 0.4 < time.monotonic() - began < 1.5


def test_headers_that_do_not_come_are_408_however_they_drip(opening: Opening) -> None:
    entrance = opening(Limits(header_seconds=0.5))
    with entrance.connect() as silent, entrance.connect() as half, entrance.connect() as dripping:
        half.sendall(HEAD)
        for letter in HEAD[:8]:
            dripping.sendall(bytes([letter]))
            time.sleep(0.03)
        for connection in (silent, half, dripping):
            assert answered(connection) == (408, "the headers did not come within 0.5 s")
    assert served(entrance)


def test_a_second_request_on_a_connection_has_the_same_time_for_its_headers(opening: Opening) -> None:
    entrance = opening(Limits(header_seconds=0.5))
    with entrance.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1\r\n\r\nx")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"POST /bring HTT")
        assert answered(connection)[0] == 408


def test_headers_over_their_limit_are_431(entrance: OpenDoor) -> None:
    with entrance.connect() as connection:
        connection.sendall(HEAD + b"".join(b"X-%d: %s\r\n" % (number, b"y" * 4_000) for number in range(16)))
        connection.sendall(b"X: " + b"y" * 2_000)
        assert answered(connection)[0] == 431


def test_headers_without_end_end_with_their_connection(entrance: OpenDoor) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(HEAD)
        while True:
            connection.sendall(b"X: %s\r\n" % (b"y" * 4_000))

    with entrance.connect() as connection, pytest.raises((ConnectionResetError, BrokenPipeError)):
        send(connection)


def test_ten_mebibytes_are_413_whether_they_are_announced_or_not(entrance: OpenDoor) -> None:
    with entrance.client() as client:
        assert client.post("/bring", content=b"x" * 10 * MIB).status_code == 413
        assert client.post("/bring", content=(b"x" * MIB for _ in range(10))).status_code == 413
        assert client.post("/bring", content=b"x" * BODY_BYTES).json()["size"] == BODY_BYTES
        assert client.post("/bring", content=b"x" * (BODY_BYTES + 1)).status_code == 413


def test_a_client_that_waits_to_be_told_to_go_on_is_told_not_to(entrance: OpenDoor) -> None:
    with entrance.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n")
        assert answered(connection)[0] == 413


def test_a_body_without_end_is_refused_and_its_connection_closed(opening: Opening) -> None:
    entrance = opening(Limits(body_seconds=1.0))
    with entrance.connect() as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        began = time.monotonic()
        try:
            while time.monotonic() - began < 20:
                connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        except OSError:
            pass
        assert time.monotonic() - began < 10
    assert served(entrance)


def test_a_bomb_is_413_before_it_is_inflated(entrance: OpenDoor) -> None:
    bomb = gzip.compress(bytes(256 * MIB), 1)
    before = psutil.Process().memory_info().rss
    with entrance.client() as client:
        answer = client.post("/bring", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert psutil.Process().memory_info().rss - before < 100 * MIB


def test_what_is_not_the_encoding_that_it_says_is_400_or_415(entrance: OpenDoor) -> None:
    whole = gzip.compress(b"abc")
    with entrance.client() as client:
        def status(body: bytes, encoding: str = "gzip") -> int:
            return client.post("/bring", content=body, headers={"Content-Encoding": encoding}).status_code

        assert client.post("/bring", content=whole, headers={"Content-Encoding": "gzip"}).json()["size"] == 3
        assert (status(whole, "identity"), status(whole, "GZIP")) == (200, 200)
        assert [status(body) for body in (b"abc", whole[:-1], whole + b"x", b"")] == [400] * 4
        assert [status(whole, encoding) for encoding in ("br", "zstd", "deflate", "gzip, gzip")] == [415] * 4


def test_ten_times_as_many_requests_as_a_caller_may_have_are_429_and_another_is_served(opening: Opening) -> None:
    entrance = opening(Limits(requests_each=8))
    entrance.shut.set()
    statuses: list[int] = []

    def bring() -> None:
        with entrance.client("ann") as client:
            answer = client.post("/bring", content=b"x")
            assert answer.status_code == 200 or answer.headers["retry-after"] == "1"
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=bring) for _ in range(80)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(statuses) == 72, 30)
    entrance.shut.clear()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(429)) == (8, 72)
    assert served(entrance, "bob")
    assert served(entrance, "ann")


def test_bodies_hold_so_much_memory_together_and_give_it_back(opening: Opening) -> None:
    entrance = opening(Limits(held_bytes=1_500))
    entrance.shut.set()
    with entrance.connect() as first, entrance.client() as client:
        first.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 900)
        wait_for(lambda: client.post("/bring", content=b"x" * 1_000).status_code == 503, 10)
    entrance.shut.clear()
    wait_for(lambda: client_status(entrance) == 200, 10)


def client_status(entrance: OpenDoor) -> int:
    with entrance.client() as client:
        return client.post("/bring", content=b"x" * 1_000).status_code


def test_connections_are_so_many_at_most(opening: Opening) -> None:
    entrance = opening(Limits(connections=3, header_seconds=5))
    kept = [entrance.connect() for _ in range(3)]
    wait_for(lambda: refused(entrance), 10)
    for connection in kept:
        connection.close()
    wait_for(lambda: served(entrance), 10)


def refused(entrance: OpenDoor) -> bool:
    with entrance.connect() as connection:
        return answered(connection)[0] == 503


def test_what_is_no_http_is_told_so(entrance: OpenDoor) -> None:
    for nonsense in (b"hello\r\n\r\n", HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Content-Length: 1x\r\n\r\n",
                     b"GET \xff\xfe HTTP/1.1\r\n\r\n"):
        with entrance.connect() as connection:
            connection.sendall(nonsense)
            assert answered(connection) == (400, "this is no HTTP request")
