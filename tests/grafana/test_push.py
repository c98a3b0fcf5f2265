"""`automl-stream grafana push` against a small server that answers as the documented API does; no Grafana was run."""

import socket
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from automl_stream.cli import main
from grafana.push import FOLDER
from grafana.server import GrafanaAccess
from grafana.shipped import shipped
from tests.grafana.grafana_server import ADMIN, EDITOR, VIEWER, GrafanaServer, grafana_server

UIDS = [dashboard["uid"] for dashboard in shipped()]
TITLES = [dashboard["title"] for dashboard in shipped()]


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with grafana_server() as server:
        yield server
        assert not server.refused


class Shell:
    """`automl-stream grafana push` with a token."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch
        self.exit_code: object = None
        self.error = ""

    def push(self, url: str, *arguments: str, token: str = EDITOR) -> str:
        """What it prints; never the token."""
        self._monkeypatch.setenv("GRAFANA_URL", url)
        self._monkeypatch.setenv("GRAFANA_TOKEN", token)
        self._monkeypatch.setattr(sys, "argv", ["automl-stream", "grafana", "push", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        self.exit_code = ended.value.code
        printed = self._capsys.readouterr()
        self.error = printed.err
        assert not token.strip() or token.strip() not in printed.out + printed.err
        return printed.out

    def done(self, url: str, *arguments: str, token: str = EDITOR) -> list[str]:
        """What became of the folder and each dashboard."""
        printed = self.push(url, *arguments, "--json", token=token)
        assert (self.exit_code, self.error) == (0, "")
        return [outcome["done"] for outcome in msgspec.json.decode(printed)]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(capsys, monkeypatch)


# What is brought, and what is left


def test_a_first_push_makes_the_folder_and_every_dashboard_in_it_in_reading_order(server: GrafanaServer, shell: Shell,
                                                                                  ) -> None:
    printed = shell.push(server.url)
    assert printed.splitlines() == ["created: folder automl-stream",
                                    *(f"created: dashboard {title}" for title in TITLES)]
    assert list(server.dashboards) == UIDS
    assert {held["meta"]["folderUid"] for held in server.dashboards.values()} == {FOLDER}


def test_a_second_push_writes_nothing(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    server.heard.clear()
    assert shell.done(server.url) == ["left"] * 5
    assert server.saved() == []


def test_a_dashboard_that_somebody_changed_is_as_its_file_says_again(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    held = server.dashboards[UIDS[1]]["dashboard"]
    panel = next(panel for panel in held["panels"] if panel["type"] == "stat")
    panel["title"] = "Mine"
    assert shell.done(server.url) == ["left", "left", "updated", "left", "left"]
    assert server.dashboards[UIDS[1]]["dashboard"]["version"] == 2
    assert "Mine" not in str(server.dashboards[UIDS[1]])


def test_a_panel_that_somebody_added_goes(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    server.dashboards[UIDS[0]]["dashboard"]["panels"].append({"type": "text"})
    assert shell.done(server.url)[1] == "updated"


def test_what_grafana_adds_to_a_dashboard_is_no_difference(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    held = server.dashboards[UIDS[0]]["dashboard"]
    held["panels"][1]["pluginVersion"] = "13.2.3"
    held["templating"]["list"][0]["current"] = {"text": "Prometheus", "value": "p"}
    assert shell.done(server.url) == ["left"] * 5


def test_a_dashboard_that_was_moved_stays_where_it_is(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    server.folders["team"] = {"uid": "team", "title": "Team"}
    server.dashboards[UIDS[0]]["meta"]["folderUid"] = "team"
    server.dashboards[UIDS[0]]["dashboard"]["title"] = "Ours"
    assert shell.done(server.url)[1] == "updated"
    assert server.dashboards[UIDS[0]]["meta"]["folderUid"] == "team"


def test_a_dashboard_that_grafana_has_from_files_is_not_touched(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    server.dashboards[UIDS[0]]["meta"]["provisioned"] = True
    server.dashboards[UIDS[0]]["dashboard"]["title"] = "From a file"
    server.heard.clear()
    assert shell.done(server.url)[1] == "provisioned"
    assert server.saved() == []


def test_a_folder_that_was_renamed_is_still_the_folder(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    server.folders[FOLDER]["title"] = "Models"
    assert shell.done(server.url) == ["left"] * 5


def test_a_dry_run_says_what_a_push_would_do_and_writes_nothing(server: GrafanaServer, shell: Shell) -> None:
    assert shell.done(server.url, "--dry-run") == ["created"] * 5
    assert shell.push(server.url, "--dry-run").startswith("would be created: folder automl-stream\n")
    assert server.saved() == []


def test_grafana_may_live_below_a_path(shell: Shell) -> None:
    with grafana_server("/eyes/grafana") as server:
        assert shell.done(f"{server.url}/") == ["created"] * 5


# What variables begin with


def variable(server: GrafanaServer, name: str) -> dict[str, Any]:
    (first, *others) = [next(v for v in held["dashboard"]["templating"]["list"] if v["name"] == name)
                        for held in server.dashboards.values()]
    assert all(other == first for other in others)
    return first


@pytest.mark.parametrize("name", ["Prometheus main", "a/b", "déjà vu"])
def test_dashboards_open_with_the_data_sources_that_are_named(server: GrafanaServer, shell: Shell, name: str) -> None:
    server.data_sources = [{"id": 1, "uid": "p1", "name": name, "type": "prometheus"},
                           {"id": 2, "uid": "g1", "name": "pg", "type": "grafana-postgresql-datasource"}]
    shell.done(server.url, "--prometheus", name, "--postgres", "pg", token=ADMIN)
    assert variable(server, "prometheus")["current"] == {"text": name, "value": "p1"}
    assert variable(server, "postgres")["current"] == {"text": "pg", "value": "g1"}
    server.heard.clear()
    assert shell.done(server.url, "--prometheus", name, "--postgres", "pg", token=ADMIN) == ["left"] * 5


def test_panels_link_to_where_the_documentation_is(server: GrafanaServer, shell: Shell) -> None:
    shell.done(server.url, "--docs", "https://docs.example.org/automl-stream/")
    assert variable(server, "docs")["query"] == "https://docs.example.org/automl-stream"


@pytest.mark.parametrize(("name", "token", "said"), [
    ("nowhere", ADMIN, "answers 404 to data source 'nowhere' (Data source not found)"),
    ("logs", ADMIN, "data source 'logs' is of type loki; name one of type prometheus"),
    ("logs", EDITOR, "Admin to look a data source up"),
])
def test_a_data_source_that_cannot_be_meant_ends_the_push_before_it_begins(
        server: GrafanaServer, shell: Shell, name: str, token: str, said: str) -> None:
    server.data_sources = [{"id": 3, "uid": "l", "name": "logs", "type": "loki"}]
    shell.push(server.url, "--prometheus", name, token=token)
    assert shell.exit_code == 1
    assert said in shell.error
    assert server.saved() == []


# What goes wrong


def test_what_somebody_saves_meanwhile_is_not_overwritten(server: GrafanaServer, shell: Shell) -> None:
    shell.push(server.url)
    held = server.dashboards[UIDS[0]]["dashboard"]
    held["title"] = "Theirs"

    def save_first(method: str, _: str) -> None:
        if method == "POST":
            held["version"] += 1

    server.before_answer = save_first
    shell.push(server.url)
    assert shell.exit_code == 1
    assert "answers 412" in shell.error
    assert "push again" in shell.error
    assert held["title"] == "Theirs"


def test_another_dashboard_of_the_same_title_is_named(server: GrafanaServer, shell: Shell) -> None:
    server.folders[FOLDER] = {"uid": FOLDER, "title": "automl-stream"}
    server.dashboards["other"] = {"dashboard": {"uid": "other", "title": TITLES[0], "version": 1},
                                  "meta": {"folderUid": FOLDER}}
    shell.push(server.url)
    assert shell.exit_code == 1
    assert TITLES[0] in shell.error
    assert "rename that one" in shell.error


@pytest.mark.parametrize(("token", "said"), [("glsa_wrong_canary", "answers 401"), (VIEWER, "needs the role Editor")])
def test_a_token_that_may_not_is_told_what_it_needs(server: GrafanaServer, shell: Shell, token: str, said: str) -> None:
    shell.push(server.url, token=token)
    assert shell.exit_code == 1
    assert said in shell.error
    assert server.dashboards == {}


@pytest.mark.parametrize(("answer", "said"), [
    ((400, {"message": "Dashboard title cannot be empty"}), "answers 400 to dashboard"),
    ((404, {"message": "folder not found"}), "answers 404 to dashboard"),
    ((409, {"message": "conflict"}), "push again"),
    ((422, {"message": "unprocessable"}), "versions 11 to 13 should"),
    ((429, {"message": "slow down"}), "push again later"),
    ((500, {"message": "Failed to\nsave \u0007" + 500 * "x"}), "push again when it is well"),
    ((502, "<html>no message from upstream</html>"), "does not speak as Grafana does"),
    ((503, "<html>busy</html>"), "does not speak as Grafana does"),
    ((200, "<html>Please log in</html>"), "does not speak as Grafana does"),
    ((200, ["success"]), "does not speak as Grafana does"),
    ((302, ""), "redirects; set GRAFANA_URL to where it leads"),
])
def test_a_refusal_is_one_sentence_and_what_came_before_stands(
        server: GrafanaServer, shell: Shell, answer: tuple[int, object], said: str) -> None:
    server.before_answer = lambda method, path: answer if (method, path) == ("POST", "/api/dashboards/db") else None
    printed = shell.push(server.url)
    assert shell.exit_code == 1
    assert printed == "created: folder automl-stream\n"
    assert said in shell.error
    assert shell.error.count("\n") == 1
    assert "\u0007" not in shell.error
    assert len(shell.error) < 500


def test_a_wrong_path_is_not_taken_for_an_empty_grafana(shell: Shell) -> None:
    with grafana_server("/grafana") as server:
        shell.push(server.url.removesuffix("/grafana"))
        assert shell.exit_code == 1
        assert "does not speak as Grafana does" in shell.error
        assert server.heard == []


def test_a_grafana_that_is_away_is_said_to_be(shell: Shell) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        shell.push(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert shell.exit_code == 1
    assert "Grafana does not answer at" in shell.error


@pytest.mark.parametrize(("url", "token", "said"), [
    ("", EDITOR, "GRAFANA_URL is not set"),
    ("http://127.0.0.1:3000", " ", "GRAFANA_TOKEN is not set"),
    ("127.0.0.1:3000", EDITOR, "must be an address"),
    ("ftp://127.0.0.1", EDITOR, "must be an address"),
    ("http://admin:secret@127.0.0.1:3000", EDITOR, "without user"),
    ("http://127.0.0.1:port", EDITOR, "must be an address"),
    ("http://[::1", EDITOR, "must be an address"),
    ("http://127.0.0.1:3000", "glsa_\u00e9", "no token has"),
    ("http://127.0.0.1:3000", "glsa_a\nX-Evil: 1", "no token has"),
])
def test_an_unusable_environment_is_wrong_use(shell: Shell, url: str, token: str, said: str) -> None:
    shell.push(url, token=token)
    assert shell.exit_code == 2
    assert said in shell.error
    assert "secret" not in shell.error


def test_an_access_shows_no_token() -> None:
    assert EDITOR not in repr(GrafanaAccess(url="http://127.0.0.1:3000", token=EDITOR))
