"""The prediction API as a process on the real broker."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx2
import pytest

from automl_stream.local_stack.ports import LOOPBACK
from kafka_access.access import KafkaAccess
from tests.live import Live
from tests.tiny import definition

TOKEN = "the-token-of-the-till"
START = 946_684_800_000


class Asked(Live):
    """A pipeline with a prediction API."""

    def __init__(self, kafka: KafkaAccess, directory: Path, text: Callable[[str], str] = definition) -> None:
        super().__init__(kafka, directory, text)
        with socket.create_server((LOOPBACK, 0)) as found:
            self.port: int = found.getsockname()[1]
        self.http = self.client()

    def client(self, token: str = TOKEN) -> httpx2.Client:
        """Whoever has the token."""
        return httpx2.Client(base_url=f"http://{LOOPBACK}:{self.port}", timeout=60,
                             headers={"Authorization": f"Bearer {token}"})

    def open(self, *, ready: bool = True, **settings: str) -> Popen[bytes]:
        """Start it; returns once it is ready, or only runs."""
        process = self.start("predict", AUTOML_STREAM_PREDICTION_PORT=str(self.port),
                             AUTOML_STREAM_TOKENS=f"till:{TOKEN}", **settings)
        self.until(lambda: self._says("readyz" if ready else "healthz"), "the prediction API")
        return process

    def ask(self, body: Any, **query: str) -> httpx2.Response:
        """POST /predict."""
        return self.http.post("/predict", json=body, params=query)

    def close(self) -> None:
        """End every process of this test."""
        self.http.close()
        super().close()

    def _says(self, path: str) -> bool:
        try:
            return self.http.get(f"/{path}").status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False


def event(k: int, **features: Any) -> dict[str, Any]:
    """Event `k`, of one of 50 entities."""
    given = {"a": (k % 13) / 4 - 1.5, "b": None if k % 7 == 0 else k % 3, "c": "xyz"[k % 3]} | features
    return {"event_id": f"e{k}", "ts": START + k * 20, "entity": f"card-{k % 50}", "features": given}


@pytest.fixture
def asked(kafka: KafkaAccess, tmp_path: Path) -> Iterator[Asked]:
    found = Asked(kafka, tmp_path)
    yield found
    found.close()
