"""The provisioning files have the documented form, name what the dashboards need, and hold no password."""

import re
from pathlib import Path
from typing import Any

import yaml

from grafana.push import FOLDER
from grafana.queries import POSTGRES, PROMETHEUS
from grafana.shipped import DIRECTORY

PROVISIONING = DIRECTORY.with_name("provisioning")
TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs" / "grafana.md").read_text()
# As Grafana documents them: administration/provisioning, and each data source's page on its configuration.
SOURCE_KEYS = {"name", "uid", "type", "access", "url", "user", "editable", "jsonData", "secureJsonData", "orgId",
               "isDefault", "version"}
JSON_KEYS = {"prometheus": {"httpMethod", "timeInterval"},
             "grafana-postgresql-datasource": {"database", "sslmode", "postgresVersion", "maxOpenConns",
                                               "maxIdleConns"}}
PROVIDER_KEYS = {"name", "type", "folder", "folderUid", "disableDeletion", "updateIntervalSeconds", "allowUiUpdates",
                 "options", "orgId"}


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((PROVISIONING / name / "automl-stream.yaml").read_text())


def test_the_data_sources_are_those_that_the_dashboards_ask() -> None:
    said = read("datasources")
    assert said.keys() == {"apiVersion", "datasources"}
    assert said["apiVersion"] == 1
    assert [source["type"] for source in said["datasources"]] == [PROMETHEUS.type_val, POSTGRES.type_val]
    for source in said["datasources"]:
        assert source.keys() <= SOURCE_KEYS
        assert source["jsonData"].keys() <= JSON_KEYS[source["type"]]
        assert source["access"] == "proxy"


def test_addresses_and_the_password_come_from_the_environment() -> None:
    prometheus, postgres = read("datasources")["datasources"]
    given = [prometheus["url"], postgres["url"], postgres["user"], postgres["jsonData"]["database"],
             postgres["jsonData"]["sslmode"], postgres["secureJsonData"]["password"]]
    assert all(re.fullmatch(r"\$[A-Z_]+", value) for value in given)
    assert postgres["secureJsonData"].keys() == {"password"}
    assert "secureJsonData" not in prometheus


def test_the_dashboards_are_provided_in_the_folder_that_a_push_uses() -> None:
    said = read("dashboards")
    assert said.keys() == {"apiVersion", "providers"}
    (provider,) = said["providers"]
    assert provider.keys() <= PROVIDER_KEYS
    assert provider["folderUid"] == FOLDER
    assert not provider["allowUiUpdates"]
    assert re.fullmatch(r"\$[A-Z_]+", provider["options"]["path"])


def test_guide_and_compose_file_set_every_variable() -> None:
    given = yaml.safe_load((TOP / "docker-compose.yml").read_text())["services"]["grafana"]["environment"]
    names = {name for file in PROVISIONING.rglob("*.yaml") for name in re.findall(r"\$([A-Z_]+)", file.read_text())}
    assert len(names) == 7
    assert [name for name in names if name not in given or f"{name}=" not in GUIDE] == []
