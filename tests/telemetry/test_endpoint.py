"""A service shows its metrics on loopback, or where it is told to."""

import urllib.request

import pytest

from telemetry.endpoint import Endpoint, UnusableEndpoint, read_endpoint, serve_metrics
from telemetry.metrics import ServiceMetrics


def test_an_endpoint_is_on_loopback_unless_told_otherwise() -> None:
    assert read_endpoint({}) == read_endpoint({"METRICS_HOST": "", "METRICS_PORT": ""}) == Endpoint(host="127.0.0.1")
    assert read_endpoint({"METRICS_HOST": "10.0.0.7", "METRICS_PORT": "9100"}) == Endpoint(host="10.0.0.7", port=9_100)


@pytest.mark.parametrize("port", ["web", "-1", "65536", "1.5"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(UnusableEndpoint, match=f"METRICS_PORT is '{port}'"):
        read_endpoint({"METRICS_PORT": port})


@pytest.mark.parametrize("host", ["everywhere", "::", "0.0.0.0:9100"])
def test_an_address_that_is_none_is_told(host: str) -> None:
    with pytest.raises(UnusableEndpoint, match=f"METRICS_HOST is '{host}'"):
        read_endpoint({"METRICS_HOST": host})


def test_a_service_listens_where_it_is_told_and_nowhere_else() -> None:
    server = serve_metrics(Endpoint(host="127.0.0.2"), ServiceMetrics(), lambda: {"ok": True})
    try:
        with urllib.request.urlopen(f"http://127.0.0.2:{server.server_port}/healthz", timeout=5) as answer:
            assert answer.read() == b'{"ok": true}'
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/healthz", timeout=5)
    finally:
        server.shutdown()
        server.server_close()
