"""Ports are checked before something listens on them."""

from __future__ import annotations

import inspect
import os
import socket

import pytest

from automl_stream.cli import up
from automl_stream.demo.command import demo
from automl_stream.local_stack.errors import PortTaken
from automl_stream.local_stack.ports import LOOPBACK, Ports, require_free


def test_a_free_port_passes(ports: Ports) -> None:
    for port in ports.of("kafka", "kafka_controller", "postgres", "mlflow", "prometheus", "metrics"):
        require_free(port)


def test_a_taken_port_is_one_sentence_with_port_purpose_process_option_and_variable() -> None:
    with socket.create_server((LOOPBACK, 0)) as foreign:
        number = foreign.getsockname()[1]
        (port,) = Ports(kafka_controller=number).of("kafka_controller")
        with pytest.raises(PortTaken) as error:
            require_free(port)
    message = str(error.value)
    for part in (
        str(number),
        "Kafka's controller",
        f"pid {os.getpid()}",
        "--kafka-controller-port",
        "AUTOML_STREAM_KAFKA_CONTROLLER_PORT",
    ):
        assert part in message
    assert "\n" not in message


def test_no_port_is_one_where_a_package_of_the_system_starts_its_service() -> None:
    ours = Ports()
    assert not {ours.kafka, ours.postgres, ours.prometheus, ours.metrics} & {5432, 9090, 9092, 9093, 9100}
    for command in (up, demo):
        options = inspect.signature(command).parameters
        assert {port: options[f"{port}_port"].default for port in ("kafka", "postgres", "prometheus", "metrics")} == {
            "kafka": ours.kafka, "postgres": ours.postgres, "prometheus": ours.prometheus, "metrics": ours.metrics}


def test_a_port_that_was_just_closed_is_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        number = server.getsockname()[1]
        accepted.close()  # the server's side closes first and stays in TIME_WAIT
        client.recv(1)
    (port,) = Ports(mlflow=number).of("mlflow")
    require_free(port)
