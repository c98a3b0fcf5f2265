"""Who comes in, and what a browser may do with what it gets."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from console.app import build
from console.artifacts import Artifacts
from console.entry import ATTEMPTS
from console.live import Live
from console.logs import Logs
from console.orders import Orders
from console.pages import PAGES
from console.site import Site
from console.store import Store
from doors.tokens import Tokens
from kafka_access.access import KafkaAccess
from tests.tiny import definition

TOKEN = "ada-knows-this-one"
NOWHERE = KafkaAccess(servers="127.0.0.1:1")


def site(place: Path) -> Site:
    """A console whose database and broker are away."""
    file, live = place / "tiny.toml", Live(["tiny"], NOWHERE)
    file.write_text(definition())
    live.answers = False
    return Site(pipelines={"tiny": file}, store=Store("postgresql://127.0.0.1:1/none"), logs=Logs(),
                artifacts=Artifacts(NOWHERE), live=live, orders=Orders({}), kafka=NOWHERE)


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return build(site(tmp_path), PAGES, Tokens([("ada", TOKEN)])).test_client()


def log_in(client: FlaskClient, token: str = TOKEN, to: str = "/tiny/drift") -> tuple[int, str]:
    """Status, and where it leads."""
    answer = client.post("/login", data={"token": token, "to": to})
    return answer.status_code, answer.headers.get("Location", "")


@pytest.mark.parametrize("path", ["/", "/tiny/overview", "/_dash-layout", "/_dash-dependencies"])
def test_nobody_sees_anything_without_a_token(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == (401 if path.startswith("/_") else 302)
    assert client.post("/_dash-update-component", json={}).status_code == 401


def test_a_token_opens_a_session_that_logging_out_ends(client: FlaskClient) -> None:
    assert log_in(client) == (303, "/tiny/drift")
    answer = client.get("/tiny/drift")
    assert answer.status_code == 200
    assert client.post("/logout").status_code == 303
    assert client.get("/tiny/drift").status_code == 302


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(client: FlaskClient) -> None:
    answer = client.post("/login", data={"token": TOKEN})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie


def test_a_wrong_token_is_refused_and_too_many_of_them_are_not_even_looked_at(client: FlaskClient) -> None:
    assert [log_in(client, "wrong")[0] for _ in range(ATTEMPTS)] == [401] * ATTEMPTS
    assert log_in(client)[0] == 429
    assert client.get("/tiny/drift").status_code == 302


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example", "x"])
def test_logging_in_leads_nowhere_else(client: FlaskClient, to: str) -> None:
    assert log_in(client, to=to) == (303, "/")


def test_a_page_of_another_origin_can_do_nothing_in_a_users_name(client: FlaskClient) -> None:
    log_in(client)
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert client.post("/_dash-update-component", json={}, headers=elsewhere).status_code == 403
    assert client.post("/logout", headers=elsewhere).status_code == 403
    assert client.get("/tiny/drift").status_code == 200


def test_a_browser_is_told_to_run_nothing_from_elsewhere(client: FlaskClient) -> None:
    log_in(client)
    for path in ("/login", "/tiny/drift", "/_dash-layout", "/assets/console.css"):
        with client.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy
        assert "unsafe-eval" not in policy
    page = client.get("/tiny/drift").text
    assert "https://" not in page.split('<script id="_dash-config"')[0]
    assert 'src="http' not in page


def test_what_the_token_form_repeats_is_text(client: FlaskClient) -> None:
    page = client.get("/login", query_string={"to": '/"><script>alert(1)</script>'}).text
    assert "<script>" not in page


def test_without_tokens_everybody_on_this_machine_comes_in(tmp_path: Path) -> None:
    client = build(site(tmp_path), PAGES, Tokens([])).test_client()
    assert client.get("/tiny/drift").status_code == 200


def test_healthz_is_open(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"ok": True}


@pytest.mark.parametrize("slug", [page.slug for page in PAGES])
def test_a_page_says_what_is_away_and_is_shown_all_the_same(client: FlaskClient, slug: str) -> None:
    log_in(client)
    outputs = [("content", "children"), ("navigation", "children"), ("pipeline", "value")]
    answer = client.post("/_dash-update-component", json={
        "output": "..content.children...navigation.children...pipeline.value..",
        "outputs": [{"id": name, "property": key} for name, key in outputs], "changedPropIds": ["url.pathname"],
        "inputs": [{"id": "url", "property": "pathname", "value": f"/tiny/{slug}"},
                   {"id": "url", "property": "search", "value": ""}], "state": []})
    assert answer.status_code == 200
    assert "state-away" in answer.text
    assert "does not" in answer.text
    assert "state-broken" not in answer.text
