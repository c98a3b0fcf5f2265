"""Jars are what the lock says, or they are not used."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import TYPE_CHECKING

import pytest

from automl_stream.local_stack.errors import CorruptJar, DownloadFailed, Ending
from automl_stream.local_stack.jars import Jar, Lock, fetch_jars, kafka_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"PK a jar"
JAR = Jar(coordinate="org.example:one:1.0", sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT))
LOCK = Lock(roots=(JAR.coordinate,), jars=(JAR,))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository on loopback that serves the one jar."""
    root = tmp_path / "mirror"
    JAR.path(root).parent.mkdir(parents=True)
    JAR.path(root).write_bytes(CONTENT)
    handler = partial(_Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AUTOML_STREAM_MAVEN_URL", f"http://127.0.0.1:{server.server_port}")
        yield root
        server.shutdown()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No repository answers."""
    monkeypatch.setenv("AUTOML_STREAM_MAVEN_URL", "http://127.0.0.1:1")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
        """Say nothing."""


def place(cache: Path, content: bytes) -> None:
    """Put a file where the jar belongs."""
    JAR.path(cache).parent.mkdir(parents=True)
    JAR.path(cache).write_bytes(content)


def test_a_missing_jar_is_downloaded_and_verified(mirror: Path, tmp_path: Path) -> None:
    assert mirror.exists()
    (path,) = fetch_jars(LOCK, tmp_path / "cache", print, Event())
    assert path.read_bytes() == CONTENT


@pytest.mark.usefixtures("offline")
def test_present_jars_need_no_network(tmp_path: Path) -> None:
    place(tmp_path, CONTENT)
    assert fetch_jars(LOCK, tmp_path, print, Event()) == [JAR.path(tmp_path)]


@pytest.mark.usefixtures("mirror")
def test_a_corrupt_jar_is_named_and_downloaded_again(tmp_path: Path) -> None:
    place(tmp_path / "cache", b"half a ja")
    said: list[str] = []
    (path,) = fetch_jars(LOCK, tmp_path / "cache", said.append, Event())
    assert path.read_bytes() == CONTENT
    assert len(said) == 1
    assert "one-1.0.jar is corrupt" in said[0]


@pytest.mark.usefixtures("offline")
def test_without_network_the_error_says_what_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        DownloadFailed, match=r"org\.example:one:1\.0 .* from http://127\.0\.0\.1:1 .* network"
    ) as error:
        fetch_jars(LOCK, tmp_path, print, Event())
    assert "\n" not in str(error.value)
    assert not JAR.path(tmp_path).exists()


def test_a_mirror_with_other_bytes_is_refused_and_nothing_kept(mirror: Path, tmp_path: Path) -> None:
    JAR.path(mirror).write_bytes(b"PK b jar")
    with pytest.raises(CorruptJar, match=r"org\.example:one:1\.0"):
        fetch_jars(LOCK, tmp_path / "cache", print, Event())
    assert not JAR.path(tmp_path / "cache").exists()


def test_a_jar_the_mirror_lacks_is_an_error(mirror: Path, tmp_path: Path) -> None:
    JAR.path(mirror).unlink()
    with pytest.raises(DownloadFailed):
        fetch_jars(LOCK, tmp_path / "cache", print, Event())


@pytest.mark.usefixtures("mirror")
def test_a_download_is_broken_off_on_request_and_leaves_nothing(tmp_path: Path) -> None:
    ending = Event()
    ending.set()
    with pytest.raises(Ending):
        fetch_jars(LOCK, tmp_path / "cache", print, ending)
    assert not JAR.path(tmp_path / "cache").exists()


def test_the_lock_names_the_broker_a_logging_backend_and_a_hash_for_every_jar() -> None:
    lock = kafka_lock()
    coordinates = [jar.coordinate for jar in lock.jars]
    assert set(lock.roots) <= set(coordinates)
    assert "org.apache.kafka:kafka_2.13:4.4.0" in coordinates
    assert len(set(coordinates)) == len(coordinates)
    slf4j = {coordinate.split(":")[2] for coordinate in coordinates if coordinate.startswith("org.slf4j:")}
    assert len(slf4j) == 1
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in lock.jars)
