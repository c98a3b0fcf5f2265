"""One stack for all: `up` with Prometheus and Alertmanager, a first model, a short stream, some requests over HTTP."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import polars as pl
import psutil
from msgspec import Struct

from automl_stream.exported_metrics import EXPORTED
from automl_stream.local_stack.ports import LOOPBACK, METRICS_PORTS, Ports, unused_ports
from automl_stream.local_stack.processes import read_state
from automl_stream.local_stack.stack import choose_addresses
from automl_stream.local_stack.supervisor import end_stack
from tests.wait import wait_for

ROOT = Path(__file__).parents[3]
ROWS, TRAINED = 2_400, 600
SERVICES = len(EXPORTED)
PATIENCE = 300.0  # seconds, of a busy machine
NAME = "payments"
KEYS = {'task = "binary"': 'task = "binary"\nlabel_horizon = "1h"',
        'size = "50m"': 'size = "10m"\nquality_labels = 100',
        "refresh_labels = 500": "refresh_labels = 300", "min_new_labels = 500": "min_new_labels = 200",
        "windows = [2000,": "windows = [600,"}
EVENT = {"entity": "card-1", "ts": "2025-01-01T01:30:00Z", "features": {
    "amount": 12.5, "merchant": "fuel", "country": "DE", "card_present": True, "attempts_last_hour": 1.0,
    "card_age_days": 500.0, "hour": 12.5, "device_risk": 0.25}}


class Running(Struct, frozen=True, kw_only=True):
    """The stack; `notified`: what Alertmanager has told its receivers, by the alert's name."""

    home: Path
    file: Path
    ports: Ports
    notified: dict[str, dict[str, Any]]

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The samples that Prometheus gives for a query now."""
        url = f"http://{LOOPBACK}:{self.ports.prometheus}/api/v1/query?{urlencode({'query': query})}"
        with urlopen(url, timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def token(self) -> str:
        """What the doors ask for."""
        return (self.home / "http.token").read_text().strip()

    def post(self, port: int, path: str, body: dict[str, Any]) -> int:
        """Status of a request to a door."""
        request = Request(f"http://{LOOPBACK}:{port}{path}", json.dumps(body).encode(), {
            "Authorization": f"Bearer {self.token()}", "Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return answer.status
        except HTTPError as error:
            return error.code

    def command(self, *arguments: str) -> None:
        """Run a command of `automl-stream` on this stack."""
        environment = choose_addresses(self.home, self.ports, {}).environment()
        done = subprocess.run([sys.executable, "-m", "automl_stream", *arguments], check=False, capture_output=True,
                              text=True, timeout=PATIENCE,
                              env=os.environ | environment | {"AUTOML_STREAM_HOME": str(self.home)})
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def running_stack(home: Path) -> Iterator[Running]:
    notified: dict[str, dict[str, Any]] = {}
    file = home / f"{NAME}.toml"
    text = (ROOT / "pipelines" / file.name).read_text()
    for key, value in KEYS.items():
        assert key in text
        text = text.replace(key, value)
    file.write_text(text)
    stack = Running(home=home, file=file, ports=unused_ports(), notified=notified)
    with ExitStack() as ends:
        alertmanager = start_alertmanager(ends, home, stack.ports.metrics + METRICS_PORTS - 1, notified)
        start_up(ends, stack, alertmanager)
        feed(stack)
        yield stack


def processes(home: Path, service: str = "") -> list[psutil.Process]:
    """A service's, or all services', with everything that they started; PostgreSQL's have sessions of their own."""
    state = read_state(home)
    parents = [psutil.Process(child.pid) for child in (state.children if state else ())
               if service in ("", child.name) and psutil.pid_exists(child.pid)]
    return [*parents, *(child for parent in parents for child in parent.children(recursive=True))]


def go_on(home: Path, service: str = "") -> None:
    """Let what a test stopped go on, so that it ends in good order."""
    for process in processes(home, service):
        process.resume()


def start_up(ends: ExitStack, stack: Running, alertmanager: str) -> None:
    options = [part for port in stack.ports.of(*Ports.__struct_fields__) for part in (port.option, str(port.number))]
    process = ends.enter_context(subprocess.Popen(
        [sys.executable, "-m", "automl_stream", "up", str(stack.file), "--home", str(stack.home), *options],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"AUTOML_STREAM_ALERTMANAGER": alertmanager}))
    ends.callback(end_stack, stack.home)
    ends.callback(go_on, stack.home)
    assert process.stdout
    said = ""
    while "Ctrl-C ends everything" not in said:
        line = process.stdout.readline()
        assert line, f"it ended: {said}"
        said += line
    assert f"http://{LOOPBACK}:{stack.ports.prometheus}" in said


def feed(stack: Running) -> None:
    """A first model that knows only lies, then events and labels through Kafka and some through the doors, until all
    have come through and a better model serves."""
    data, lies = stack.home / f"{NAME}.csv", stack.home / "lies.csv"
    stack.command("scenario", NAME, "--rows", str(ROWS), "--seed", "0", "--out", str(data))
    pl.read_csv(data).with_columns(fraud=1 - pl.col("fraud")).write_csv(lies)
    stack.command("bootstrap", str(lies), "--pipeline", str(stack.file), "--rows", str(TRAINED))
    wait_for(lambda: len(stack.ask('up{service!=""} == 1')) == SERVICES, PATIENCE)
    ask_doors(stack, "first")
    stack.command("replay", str(data), "--pipeline", str(stack.file), "--from-row", str(TRAINED), "--rate", "300")
    ask_doors(stack, "second")
    wait_for(lambda: value(stack, "sum(automl_stream_events_scored_total)") >= ROWS - TRAINED, PATIENCE)
    wait_for(lambda: value(stack, "sum(automl_stream_consumer_lag_records)") == 0, PATIENCE)
    for figure in ("automl_stream_quality_rows", "automl_stream_champion_loss", "automl_stream_label_coverage_ratio",
                   "automl_stream_champion_epoch"):
        wait_for(lambda figure=figure: value(stack, figure) > 0, PATIENCE)


def ask_doors(stack: Running, name: str) -> None:
    """One event through each HTTP door."""
    assert stack.post(stack.ports.ingestion, "/events", EVENT | {"event_id": f"{name}-by-hand"}) == 200
    assert stack.post(stack.ports.prediction, "/predict", EVENT | {"event_id": f"{name}-asked"}) == 200


def value(stack: Running, query: str) -> float:
    found = stack.ask(query)
    return float(found[0]["value"][1]) if found else 0.0


def start_alertmanager(ends: ExitStack, home: Path, port: int, notified: dict[str, dict[str, Any]]) -> str:
    """Alertmanager with the example of a configuration, its receivers ours; where it listens."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            for alert in json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]:
                notified[alert["labels"]["alertname"]] = alert | {"receiver": self.path.strip("/")}
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent class named it
            """Nothing."""

    server = ends.enter_context(ThreadingHTTPServer((LOOPBACK, 0), Receiver))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ends.callback(server.shutdown)
    example = (ROOT / "grafana" / "alertmanager" / "alertmanager.yml").read_text()
    configuration = home / "alertmanager.yml"
    configuration.write_text(example.replace("127.0.0.1:9095", f"{LOOPBACK}:{server.server_port}"))
    process = subprocess.Popen(
        [shutil.which("prometheus-alertmanager") or "", f"--config.file={configuration}",
         f"--storage.path={home / 'alertmanager'}", f"--web.listen-address={LOOPBACK}:{port}",
         "--cluster.listen-address="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends.callback(process.wait)
    ends.callback(process.terminate)
    return f"{LOOPBACK}:{port}"
