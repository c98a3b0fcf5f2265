"""What MLflow holds of a decision: one run and one version, however often it is asked for.

Every function takes the plain client and does what is still missing, so that it can be called again after a crash.
"""

import importlib.metadata
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.messages import Dataset
from schemas.model_file import ModelMetadata
from trainer.source_digest import source_digest

DECISION = "automl_stream.decision_id"
ABANDONED = "automl_stream.abandoned"
EVIDENCE = "automl_stream.evidence"
CHAMPION, CHALLENGER = "champion", "challenger"

_DIGEST_LETTERS = 36  # MLflow takes no more; the parameter has them all
_PAGE = 1_000
_LIBRARIES = ("lightgbm", "scikit-learn", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What the registry shall hold of a decision. `rows`: of the topic `topic`, what the model was fitted on."""

    model_name: str
    decision_id: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    onnx: bytes
    metadata: ModelMetadata
    topic: str
    rows: Dataset
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Registered:
    """Where it is held."""

    version: str
    run: str


def write(client: Any, registration: Registration, location: str | None) -> Registered:
    """Run and version of a decision. `location`: where a new experiment keeps its files; None: the server decides."""
    name, decision = registration.model_name, registration.decision_id
    version = _find_version(client, name, decision)
    if version is None:
        run = _find_run(client, registration, location)
        _describe(client, run.info.run_id, registration)
        version = client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id,
                                              tags={DECISION: decision}, await_creation_for=0)
    return Registered(version=str(version.version), run=str(version.run_id))


def point(client: Any, model_name: str, aliases: Mapping[str, str | None]) -> None:
    """Let each alias name a version, or (None) nothing; one that the registry does not have, a stranger's, is none."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    for alias, version in aliases.items():
        if version is not None:
            try:
                client.set_registered_model_alias(model_name, alias, version)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
        elif alias in client.get_registered_model(model_name).aliases:
            client.delete_registered_model_alias(model_name, alias)


def abandon(client: Any, model_name: str, announced: frozenset[str]) -> int:
    """Tag runs and versions of decisions that are not `announced`, nor ever will be; how many are new."""
    experiment = client.get_experiment_by_name(model_name)
    found = 0
    if experiment is None:
        return found
    for run in _pages(client.search_runs, [experiment.experiment_id]):
        if run.data.tags.get(DECISION, "") not in announced and ABANDONED not in run.data.tags:
            client.set_tag(run.info.run_id, ABANDONED, "true")
            client.set_terminated(run.info.run_id, "KILLED")
            found += 1
    for version in _pages(client.search_model_versions, f"name = '{model_name}'"):
        if version.tags.get(DECISION, "") not in announced and ABANDONED not in version.tags:
            client.set_model_version_tag(model_name, version.version, ABANDONED, "true")
            found += 1
    return found


def lacks_evidence(client: Any, run: str) -> bool:
    """Whether a run has no pictures; one that the registry has lost wants none."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        return EVIDENCE not in client.get_run(run).data.tags
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def add_evidence(client: Any, run: str, files: Mapping[str, bytes], metrics: Mapping[str, float]) -> None:
    """Give a run its pictures; the tag comes last: without it they are made again."""
    _log_metrics(client, run, metrics, {})
    _upload(client, run, files, "evidence")
    client.set_tag(run, EVIDENCE, "done")


def _find_version(client: Any, name: str, decision: str) -> Any | None:
    found = client.search_model_versions(f"name = '{name}' and tags.`{DECISION}` = '{decision}'")
    return found[0] if found else None


def _find_run(client: Any, registration: Registration, location: str | None) -> Any:
    name, decision = registration.model_name, registration.decision_id
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        _make_model(client, name)
        client.create_experiment(name, artifact_location=location)  # last: where it is there, so is the model
        experiment = client.get_experiment_by_name(name)
    found = client.search_runs([experiment.experiment_id], f"tags.`{DECISION}` = '{decision}'", max_results=1)
    tags = {**registration.tags, DECISION: decision, "automl_stream.source_digest": source_digest(),
            "mlflow.source.name": f"automl-stream {importlib.metadata.version('automl-stream')}"}
    return found[0] if found else client.create_run(experiment.experiment_id, tags=tags, run_name=decision)


def _make_model(client: Any, name: str) -> None:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _describe(client: Any, run: str, registration: Registration) -> None:
    from mlflow.entities import Dataset as MlflowDataset  # noqa: PLC0415
    from mlflow.entities import DatasetInput, InputTag  # noqa: PLC0415

    rows, topic = registration.rows, registration.topic
    _log_metrics(client, run, registration.metrics, registration.params)
    dataset = MlflowDataset(
        name=topic, digest=rows.digest[:_DIGEST_LETTERS], source_type="kafka",
        source=json.dumps({"topic": topic, "partition": 0, "first": rows.first, "last": rows.last}),
        profile=json.dumps({"num_rows": rows.rows, "sha256": rows.digest}))
    client.log_inputs(run, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    _upload(client, run, {"MLmodel": model_file(registration.metadata), "model.onnx": registration.onnx}, "model")
    client.set_terminated(run)


def _log_metrics(client: Any, run: str, metrics: Mapping[str, float], params: Mapping[str, str]) -> None:
    from mlflow.entities import Metric, Param  # noqa: PLC0415

    now = int(time.time() * 1_000)
    client.log_batch(run, metrics=[Metric(key, value, now, 0) for key, value in metrics.items()],
                     params=[Param(key, value) for key, value in params.items()])


def _upload(client: Any, run: str, files: Mapping[str, bytes], folder: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        for name, data in files.items():
            (Path(place) / name).write_bytes(data)
        client.log_artifacts(run, place, folder)


def model_file(metadata: ModelMetadata) -> bytes:
    """The MLmodel file: how MLflow loads model.onnx, and its signature. JSON, which is YAML too."""
    columns, classes = len(metadata.features), len(metadata.classes)
    outputs = [_tensor("value", "float32", [-1, 1])] if metadata.task == "regression" else [
        _tensor("label", "int64", [-1]), _tensor("probabilities", "float32", [-1, classes])]
    installed = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    onnx = {"data": "model.onnx", "onnx_version": installed["onnx"], "code": None,
            "providers": ["CPUExecutionProvider"]}
    document = {
        "artifact_path": "model", "mlflow_version": importlib.metadata.version("mlflow"),
        "flavors": {"onnx": onnx, "python_function": {"loader_module": "mlflow.onnx", "data": "model.onnx"}},
        "signature": {"inputs": json.dumps([_tensor("x", "float32", [-1, columns])]), "outputs": json.dumps(outputs),
                      "params": None},
        "metadata": {"features": [feature.name for feature in metadata.features], "classes": list(metadata.classes),
                     "libraries": installed},
    }
    return json.dumps(document, indent=1).encode()


def _tensor(name: str, kind: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "type": "tensor", "tensor-spec": {"dtype": kind, "shape": shape}}


def _pages(search: Any, what: Any) -> list[Any]:
    """Every entry of a search, page by page."""
    page = search(what, max_results=_PAGE)
    found = list(page)
    while page.token:
        page = search(what, max_results=_PAGE, page_token=page.token)
        found.extend(page)
    return found
