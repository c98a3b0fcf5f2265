"""The registry client on a real MLflow store, and where it is refused, black-holed, broken or slow."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.models import get_model_info
from mlflow.onnx import load_model as load_onnx

from schemas.messages import Dataset
from schemas.model_file import ModelMetadata
from schemas.pipeline import Feature
from tests.tiny import metadata_of, onnx_bytes, tiny_pipeline
from tests.wait import wait_for
from trainer.errors import RegistryUnavailable
from trainer.registration import ABANDONED, CHALLENGER, CHAMPION, Registration, abandon, add_evidence, lacks_evidence
from trainer.registry import Registry
from trainer.settings import RegistrySettings

pytestmark = pytest.mark.filterwarnings("default")

ROWS = Dataset(first=7, last=99, rows=90, digest="ab" * 32)


class GaveUp(Exception):
    """The test has waited enough."""


def registration(decision_id: str, onnx: bytes = b"onnx bytes", metadata: ModelMetadata | None = None) -> Registration:
    features = (Feature(name="a", type="number"),)
    return Registration(model_name="pipeline", decision_id=decision_id, params={"family": "logistic"},
                        metrics={"parity": 1e-7}, onnx=onnx, topic="pipeline.labelled", rows=ROWS,
                        metadata=metadata or ModelMetadata(task="regression", features=features, categories={},
                                                           classes=()))


def client_of(settings: RegistrySettings) -> MlflowClient:
    return MlflowClient(settings.tracking_uri, settings.tracking_uri)


def gives_up_after(attempts: int) -> Callable[[float], None]:
    """A `waiting` that ends the test's waiting at the pause after so many attempts."""
    pauses: list[float] = []

    def waiting(seconds: float) -> None:
        if seconds:
            pauses.append(seconds)
        if len(pauses) == attempts:
            raise GaveUp

    return waiting


def test_a_decision_has_one_run_and_one_version_however_often_it_is_registered(
        registry_settings: RegistrySettings) -> None:
    registry = Registry(registry_settings)
    first = registry.register(registration("d1"))
    assert Registry(registry_settings).register(registration("d1")) == first
    assert registry.register(registration("d2")).version == "2"
    client = client_of(registry_settings)
    assert client.get_run(first.run).data.params == {"family": "logistic"}
    assert sorted(file.path for file in client.list_artifacts(first.run, "model")) == ["model/MLmodel",
                                                                                       "model/model.onnx"]


def test_a_run_names_its_rows_and_the_code_that_made_it(registry_settings: RegistrySettings) -> None:
    made = Registry(registry_settings).register(registration("d1"))
    run = client_of(registry_settings).get_run(made.run)
    assert run.inputs is not None
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.source_type) == ("pipeline.labelled", "kafka")
    assert json.loads(used.dataset.source) == {"topic": "pipeline.labelled", "partition": 0, "first": 7, "last": 99}
    assert json.loads(used.dataset.profile or "") == {"num_rows": 90, "sha256": ROWS.digest}
    assert len(run.data.tags["automl_stream.source_digest"]) == 64
    assert run.info.status == "FINISHED"


def test_mlflow_loads_the_version_and_holds_callers_to_its_signature(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = metadata_of(tiny_pipeline())
    made = Registry(registry_settings).register(registration("d1", onnx_bytes(1.0, metadata), metadata))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry_settings.tracking_uri)  # set_tracking_uri would leave it set
    signature = get_model_info(f"models:/pipeline/{made.version}").signature
    assert signature is not None
    assert signature.outputs is not None
    assert [spec.name for spec in signature.inputs.inputs] == ["x"]
    assert [spec.name for spec in signature.outputs.inputs] == ["label", "probabilities"]
    loaded = load_onnx(f"models:/pipeline/{made.version}")
    assert loaded == load_onnx(f"runs:/{made.run}/model")


def test_a_run_without_a_version_is_finished_not_repeated(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object, **__: object) -> None:
        raise ConnectionError("the store went away")

    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "create_model_version", lost)
        with pytest.raises(GaveUp):
            Registry(registry_settings, gives_up_after(1)).register(registration("d1"))
    whole = Registry(registry_settings).register(registration("d1"))
    client = client_of(registry_settings)
    experiment = client.get_experiment_by_name("pipeline")
    assert experiment is not None
    assert [run.info.run_id for run in client.search_runs([experiment.experiment_id])] == [whole.run]


def test_aliases_follow_the_champion_and_the_canary(registry_settings: RegistrySettings) -> None:
    registry = Registry(registry_settings)
    for decision in ("d1", "d2"):
        registry.register(registration(decision))
    client = client_of(registry_settings)

    def aliases() -> dict[str, str]:
        return {alias: str(version) for alias, version in client.get_registered_model("pipeline").aliases.items()}

    registry.point("pipeline", {CHAMPION: "1", CHALLENGER: "2"})
    assert aliases() == {CHAMPION: "1", CHALLENGER: "2"}
    for _ in range(2):
        registry.point("pipeline", {CHAMPION: "2", CHALLENGER: None})
        assert aliases() == {CHAMPION: "2"}
    registry.point("pipeline", {CHALLENGER: "77"})  # a stranger announced it
    assert aliases() == {CHAMPION: "2"}


def test_what_was_never_announced_is_tagged_abandoned_once_and_nothing_else(
        registry_settings: RegistrySettings) -> None:
    registry = Registry(registry_settings)
    made = {decision: registry.register(registration(decision)) for decision in ("d1", "d2")}
    sweep = partial(abandon, model_name="pipeline", announced=frozenset({"d1"}))
    assert registry.submit(sweep).result() == 2  # the run and the version
    assert registry.submit(sweep).result() == 0
    client = client_of(registry_settings)
    for decision, held in made.items():
        version = client.get_model_version("pipeline", held.version)
        assert (ABANDONED in version.tags) == (ABANDONED in client.get_run(held.run).data.tags) == (decision == "d2")


def test_a_run_has_its_pictures_once_all_of_them_are_there(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(registry_settings)
    run = registry.register(registration("d1")).run
    add = partial(add_evidence, run=run, files={"drift.png": b"png"}, metrics={"largest_psi": 0.5})
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, "log_artifacts", lambda *_: 1 / 0)
        with pytest.raises(RegistryUnavailable, match="ZeroDivisionError"):
            registry.submit(add).result()
    assert registry.submit(partial(lacks_evidence, run=run)).result()
    registry.submit(add).result()
    assert not registry.submit(partial(lacks_evidence, run=run)).result()
    assert not registry.submit(partial(lacks_evidence, run="0" * 32)).result()  # lost with an older registry
    client = client_of(registry_settings)
    assert [file.path for file in client.list_artifacts(run, "evidence")] == ["evidence/drift.png"]
    assert client.get_run(run).data.metrics["largest_psi"] == 0.5


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


def test_training_goes_on_as_soon_as_the_registry_answers(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, pauses = iter([RegistryUnavailable("refused")] * 3), []

    def reach(_: Registry) -> None:
        for refusal in refusals:
            raise refusal

    monkeypatch.setattr(Registry, "_reach", reach)
    assert Registry(registry_settings, pauses.append).register(registration("d1")).version == "1"
    assert [pause for pause in pauses if pause] == [0.5, 1, 2]


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_a_store_that_takes_connections_and_never_answers_is_given_up_within_the_limit(
        scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.registry._CALL_S", 2)
    for name in ("TIMEOUT", "MAX_RETRIES", "BACKOFF_FACTOR"):
        monkeypatch.delenv(f"MLFLOW_HTTP_REQUEST_{name}", raising=False)
    answers: list[bool] = []

    def waiting(seconds: float) -> None:
        answers.append(registry.answers)
        if seconds:
            raise GaveUp

    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        port = black_hole.getsockname()[1]
        registry = Registry(RegistrySettings(tracking_uri=f"{scheme}://user@127.0.0.1:{port}/mlflow"), waiting)
        began = time.monotonic()
        with pytest.raises(GaveUp):
            registry.register(registration("d1"))
        assert time.monotonic() - began < 30
        assert len(answers) > 2  # the caller's other duties went on
        assert not answers[-1]


def test_a_look_that_hangs_is_told_of_before_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.registry._CALL_S", 20)
    monkeypatch.setattr("trainer.registry._SILENT_S", 1)
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        registry = Registry(RegistrySettings(
            tracking_uri=f"postgresql+psycopg://user@127.0.0.1:{black_hole.getsockname()[1]}/mlflow"))
        assert registry.answers
        registry.warm_up()
        wait_for(lambda: not registry.answers, 15)


class Broken(BaseHTTPRequestHandler):
    """Answers 500 to everything."""

    def do_GET(self) -> None:
        self.send_error(500)

    def do_POST(self) -> None:
        self.send_error(500)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def broken_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_server_that_only_fails_is_asked_again_and_named(broken_server: str) -> None:
    with pytest.raises(GaveUp) as caught:
        Registry(RegistrySettings(tracking_uri=broken_server), gives_up_after(2)).register(registration("d1"))
    assert isinstance(caught.value.__context__, RegistryUnavailable)
    assert broken_server in str(caught.value.__context__)


def test_a_slow_store_is_waited_for_and_asked_once(
        registry_settings: RegistrySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls, waits = MlflowClient.create_run, [], []

    def slow(*arguments: Any, **named: Any) -> Any:
        calls.append(time.sleep(2))
        return original(*arguments, **named)

    monkeypatch.setattr(MlflowClient, "create_run", slow)
    assert Registry(registry_settings, waits.append).register(registration("d1")).version == "1"
    assert len(calls) == 1
    assert waits == [0.0] * len(waits)
    assert len(waits) >= 3


def test_what_is_asked_later_happens_after_what_was_asked_before() -> None:
    order: list[str] = []
    registry = Registry(RegistrySettings(tracking_uri="sqlite://"))
    registry._client = object()
    asked: list[Future[None]] = [registry.submit(lambda _, word=word: order.append(word)) for word in "abc"]
    for answer in asked:
        answer.result()
    assert order == ["a", "b", "c"]


def test_no_password_is_in_the_message_whatever_mlflow_says(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        uri = f"postgresql://user:s3cr3t@127.0.0.1:{listening.getsockname()[1]}/mlflow"

        def refuse(_: Registry) -> None:
            raise ValueError(f"cannot connect to {uri}")

        monkeypatch.setattr(Registry, "_connected", refuse)
        with pytest.raises(RegistryUnavailable, match=r"cannot connect to postgresql://user:\*\*\*@") as caught:
            Registry(RegistrySettings(tracking_uri=uri)).submit(lambda _: None).result()
    assert "s3cr3t" not in str(caught.value)
