"""The manifests, as kustomize gives them: valid to the letter, pods without rights, names that fit each other."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kafka_access.acls import SERVICES
from schemas.pipeline import load_pipeline
from tests.deploy.conftest import ROOT, container_of, pod_of, run_tool

# Custom resources are checked by what defines them: docs/deploy.md says with which, and when.
CUSTOM = {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "PodMonitor", "PrometheusRule", "ScaledObject",
          "TriggerAuthentication"}
KUBERNETES = ("1.30", "1.37")
PIPELINE = load_pipeline(ROOT / "pipelines" / "payments.toml")


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_knows_every_field(manifests: Sequence[dict[str, Any]], version: str) -> None:
    own = [one for one in manifests if one["kind"] not in CUSTOM]
    assert len(own) > 20
    for one in own:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_noticed(workloads: Mapping[str, dict[str, Any]]) -> None:
    wrong = yaml.safe_load(yaml.safe_dump(workloads["score"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnly"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnly"):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)


def test_no_pod_has_rights_and_every_one_is_bounded(workloads: Mapping[str, dict[str, Any]]) -> None:
    for name, workload in workloads.items():
        pod, container = pod_of(workload), container_of(workload)
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                "capabilities": {"drop": ["ALL"]}}, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert "memory" in container["resources"]["limits"], name


def test_every_service_is_probed(workloads: Mapping[str, dict[str, Any]]) -> None:
    for name, workload in workloads.items():
        if workload["kind"] != "Job":
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container_of(workload)), name


def test_no_secret_is_written_down(
        manifests: Sequence[dict[str, Any]], workloads: Mapping[str, dict[str, Any]]) -> None:
    assert not [one for one in manifests if one["kind"] == "Secret"]
    for name, workload in workloads.items():
        for variable in container_of(workload).get("env", ()):
            secret = any(word in variable["name"] for word in ("PASSWORD", "DATABASE_URL", "STORE_URI"))
            assert not secret or "secretKeyRef" in variable["valueFrom"], (name, variable["name"])


def test_every_image_has_a_version(workloads: Mapping[str, dict[str, Any]]) -> None:
    for name, workload in workloads.items():
        assert container_of(workload)["image"].rpartition("/")[2].partition(":")[2] not in {"", "latest"}, name


def test_every_selector_finds_pods(
        manifests: Sequence[dict[str, Any]], workloads: Mapping[str, dict[str, Any]]) -> None:
    pods = [workload["spec"]["template"]["metadata"]["labels"] for workload in workloads.values()]
    selecting = [one for one in manifests if one["kind"] in {"Service", "PodDisruptionBudget", "NetworkPolicy",
                                                             "PodMonitor"}]
    for one in selecting:
        spec = one["spec"]
        wanted = spec.get("podSelector", spec.get("selector", {}))
        labels = wanted.get("matchLabels", wanted)
        assert [pod for pod in pods if labels.items() <= pod.items()], one["metadata"]["name"]


def test_whoever_has_a_database_or_mlflow_is_let_through_to_it(workloads: Mapping[str, dict[str, Any]]) -> None:
    for name, workload in workloads.items():
        names = {variable["name"] for variable in container_of(workload).get("env", ())}
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert bool({"DATABASE_URL", "MLFLOW_BACKEND_STORE_URI"} & names) == ("automl-stream/postgres" in labels), name
        assert ("MLFLOW_TRACKING_URI" in names) == ("automl-stream/mlflow" in labels), name


def test_each_service_goes_to_kafka_as_its_own_user(
        manifests: Sequence[dict[str, Any]], workloads: Mapping[str, dict[str, Any]]) -> None:
    users = {one["metadata"]["name"] for one in manifests if one["kind"] == "KafkaUser"}
    assert users == {f"payments-{service}" for service in SERVICES}
    for name, workload in workloads.items():
        if name == "mlflow":
            continue
        given = {variable["name"]: variable.get("value") for variable in container_of(workload)["env"]}
        secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod_of(workload)["volumes"]
                   if "secret" in volume}
        assert given["KAFKA_SASL_USERNAME"] == secrets["kafka-user"], name
        assert given["KAFKA_SASL_USERNAME"] in users, name


def test_the_first_model_is_made_as_the_compose_file_makes_it(
        services: Mapping[str, Any], workloads: Mapping[str, dict[str, Any]]) -> None:
    made = container_of(workloads["first-model"])
    assert made["command"] == [part.replace("$$", "$") for part in services["first-model"]["command"]]
    assert made["image"].partition(":")[0].endswith(services["first-model"]["image"].partition(":")[0])
    assert {"name": "MLFLOW_TRACKING_URI", "value": "http://mlflow:5000"} in made["env"]


def test_the_first_model_of_another_pipeline_gets_rows_by_the_patch_that_the_documentation_shows(
        tmp_path: Path) -> None:
    (patch,) = re.findall(r"```yaml\n(patches:.+?)```", (ROOT / "docs" / "deploy.md").read_text("utf-8"), re.DOTALL)
    base = os.path.relpath(ROOT / "deploy" / "kubernetes" / "base", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{base}]\n{patch}")
    done = run_tool("kubectl", "kustomize", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (job,) = [one for one in yaml.safe_load_all(done.stdout) if one["metadata"]["name"] == "first-model"]
    kubernetes_validate.validate(job, KUBERNETES[0], strict=True)
    assert container_of(job)["command"][:3] == ["automl-stream", "bootstrap", "/rows/shop.csv"]
    mounted = {mount["name"] for mount in container_of(job)["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod_of(job)["volumes"]} >= {"rows", "pipeline", "kafka-user"}


def test_strimzi_is_told_what_the_code_says() -> None:
    done = run_tool("automl-stream", "strimzi", "pipelines/payments.toml")
    assert done.returncode == 0, done.stderr
    written = ROOT / "deploy" / "kubernetes" / "kafka" / "payments.yaml"
    assert written.read_text("utf-8") == done.stdout, "write it anew with `automl-stream strimzi`"


def test_the_rules_are_those_that_prometheus_reads_elsewhere(manifests: Sequence[dict[str, Any]]) -> None:
    done = run_tool("automl-stream", "prometheus-rule")
    assert done.returncode == 0, done.stderr
    written = ROOT / "deploy" / "kubernetes" / "monitoring" / "rules.yaml"
    assert written.read_text("utf-8") == done.stdout, "write it anew with `automl-stream prometheus-rule`"
    (spec,) = [one["spec"] for one in manifests if one["kind"] == "PrometheusRule"]
    files = sorted((ROOT / "grafana" / "rules").glob("*.yml"))
    assert spec == {"groups": [group for file in files for group in yaml.safe_load(file.read_text("utf-8"))["groups"]]}


def test_what_is_scraped_has_the_labels_that_the_rules_go_by(manifests: Sequence[dict[str, Any]]) -> None:
    (spec,) = [one["spec"] for one in manifests if one["kind"] == "PodMonitor"]
    (endpoint,) = spec["podMetricsEndpoints"]
    assert {one["targetLabel"]: one["sourceLabels"] for one in endpoint["relabelings"]} == {
        "pipeline": ["__meta_kubernetes_pod_label_automl_stream_pipeline"],
        "service": ["__meta_kubernetes_pod_label_app_kubernetes_io_component"],
        "instance": ["__meta_kubernetes_pod_name"],
    }


def test_the_example_is_of_the_pipeline_in_the_repository() -> None:
    example = ROOT / "deploy" / "kubernetes" / "overlays" / "example" / "pipeline.toml"
    assert example.read_bytes() == (ROOT / "pipelines" / "payments.toml").read_bytes()


def test_the_scaler_watches_the_score_group_up_to_a_worker_a_partition(manifests: Sequence[dict[str, Any]]) -> None:
    (scaler,) = [one["spec"] for one in manifests if one["kind"] == "ScaledObject"]
    assert scaler["maxReplicaCount"] == PIPELINE.pipeline.partitions
    (trigger,) = scaler["triggers"]
    assert (trigger["metadata"]["consumerGroup"], trigger["metadata"]["topic"]) == ("payments.score", "payments.events")
