"""Whole demos, each on a stack of its own, as a user starts them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from automl_stream.local_stack.ports import Ports, unused_ports
from automl_stream.topic_log import TopicLog, TopicLogError
from kafka_access.access import KafkaAccess

ROWS = 4_000


class Demo(Struct, kw_only=True):
    """One demo run in a process of its own; `report()` once it has ended."""

    home: Path
    pipeline: Path
    process: subprocess.Popen[str]
    kafka: str

    def rows_sent(self) -> int:
        """Records of `events`; 0 until there is a broker with the topic."""
        log = TopicLog(KafkaAccess(servers=self.kafka), answer_seconds=2)
        try:
            return sum(end for _, end in log.bounds("payments.events").values())
        except TopicLogError:
            return 0
        finally:
            log.close()

    def report(self) -> dict[str, Any]:
        if self.process.returncode is None:
            output, _ = self.process.communicate(timeout=600)
            assert self.process.returncode == 0, output
        content: dict[str, Any] = json.loads((self.home / "report.json").read_text())
        return content


@pytest.fixture(scope="session")
def payments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Payments whose world changes half-way, and a pipeline that refreshes often enough for so few rows; it has
    detectors, of which one may alert."""
    place = tmp_path_factory.mktemp("payments")
    command(["scenario", "payments", "--rows", str(ROWS), "--seed", "0", "--out", str(place / "payments.csv")], place)
    text = Path("pipelines/payments.toml").read_text().replace("windows = [2000,", "windows = [1000,")
    text = text.replace("[gate]", '[drift]\ndetectors = ["adwin", "ddm"]\nalerting_detectors = ["ddm"]\n\n[gate]')
    (place / "payments.toml").write_text(text)
    return place


@pytest.fixture(scope="session")
def start_demo(payments: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Demo]:
    def start(name: str, *more: str, data: Path = payments / "payments.csv") -> Demo:
        home, ports = tmp_path_factory.mktemp(name), unused_ports()
        arguments = ["demo", "--data", str(data), "--pipeline", str(payments / "payments.toml"),
                     "--report", str(home / "report.json"), *options(home, ports), *more]
        process = subprocess.Popen([sys.executable, "-m", "automl_stream", *arguments], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return Demo(home=home, pipeline=payments / "payments.toml", process=process,
                    kafka=f"127.0.0.1:{ports.kafka}")

    return start


@pytest.fixture(scope="session")
def undisturbed(start_demo: Callable[..., Demo]) -> Demo:
    """One that has ended; its home may be read and its stack started again, nothing in it may be changed."""
    demo = start_demo("undisturbed")
    demo.report()
    return demo


def command(arguments: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "automl_stream", *arguments], capture_output=True, text=True,
                          check=False, timeout=400, env=os.environ | {"AUTOML_STREAM_HOME": str(home)})


def options(home: Path, ports: Ports) -> list[str]:
    return ["--home", str(home), "--kafka-port", str(ports.kafka), "--kafka-controller-port",
            str(ports.kafka_controller), "--postgres-port", str(ports.postgres), "--mlflow-port", str(ports.mlflow),
            "--prometheus-port", str(ports.prometheus), "--metrics-port", str(ports.metrics)]
