"""The registry client on a real MLflow store, and where nobody answers."""

import socket

import pytest
from mlflow import MlflowClient

from trainer.errors import RegistryUnavailable
from trainer.registry import Registration, Registry
from trainer.settings import RegistrySettings

pytestmark = pytest.mark.filterwarnings("default")


class GaveUp(Exception):
    """The test has waited enough."""


def registration(decision_id: str) -> Registration:
    return Registration(model_name="pipeline", decision_id=decision_id, params={"family": "logistic"},
                        metrics={"parity": 1e-7}, onnx=b"onnx bytes")


def test_a_decision_has_one_run_and_one_version_however_often_it_is_registered(
        registry_settings: RegistrySettings) -> None:
    registry = Registry(registry_settings)
    first = registry.register(registration("d1"))
    assert Registry(registry_settings).register(registration("d1")) == first
    assert registry.register(registration("d2")).version == "2"
    client = MlflowClient(registry_settings.tracking_uri)
    assert client.get_run(first.run).data.params == {"family": "logistic"}
    assert [file.path for file in client.list_artifacts(first.run, "model")] == ["model/model.onnx"]
    assert str(client.get_model_version_by_alias("pipeline", "champion").version) == "2"


def test_a_run_without_a_version_is_finished_not_repeated(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the store went away")

    def give_up(seconds: float) -> None:
        if seconds:  # the pause before the next attempt
            raise GaveUp

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "create_model_version", lost)
        with pytest.raises(GaveUp):
            Registry(registry_settings, give_up).register(registration("d1"))
    whole = Registry(registry_settings).register(registration("d1"))
    client = MlflowClient(registry_settings.tracking_uri)
    experiment = client.get_experiment_by_name("pipeline")
    assert experiment is not None
    assert [run.info.run_id for run in client.search_runs([experiment.experiment_id])] == [whole.run]


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_where_nobody_listens_it_says_so_within_seconds_and_asks_again(scheme: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        if len(pauses) == 3:
            raise GaveUp

    registry = Registry(RegistrySettings(tracking_uri=f"{scheme}://user:secret@127.0.0.1:{port}/mlflow"), wait)
    with pytest.raises(GaveUp):
        registry.register(registration("d1"))
    assert pauses == [0.5, 1, 2]


def test_no_password_is_in_the_message_whatever_mlflow_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        uri = f"postgresql://user:s3cr3t@127.0.0.1:{listening.getsockname()[1]}/mlflow"

        def refuse(_: Registry) -> None:
            raise ValueError(f"cannot connect to {uri}")

        monkeypatch.setattr(Registry, "_connected", refuse)
        with pytest.raises(RegistryUnavailable, match=r"cannot connect to postgresql://user:\*\*\*@") as caught:
            Registry(RegistrySettings(tracking_uri=uri))._register(registration("d1"))
    assert "s3cr3t" not in str(caught.value)
