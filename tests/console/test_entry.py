"""Who comes in, and what a browser may do with what it gets."""

from html import escape
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


@pytest.mark.parametrize(("origin", "secure"), [("http://localhost", False), ("https://localhost", True),
                                                (None, False)])
def test_the_cookie_is_out_of_reach_of_scripts_and_behind_tls_stays_there(client: FlaskClient, origin: str | None,
                                                                          secure: bool) -> None:
    answer = client.post("/login", data={"token": TOKEN}, headers={"Origin": origin} if origin else {})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure
    assert TOKEN not in cookie


def test_no_get_changes_anything_so_that_a_session_may_come_with_a_link_from_elsewhere(client: FlaskClient) -> None:
    asked = {rule.rule for rule in client.application.url_map.iter_rules() if "POST" in (rule.methods or ())}
    assert asked == {"/login", "/logout", "/_dash-update-component"}
    log_in(client)
    for path in asked:
        client.get(path)
    assert client.get("/tiny/drift").status_code == 200


def test_who_comes_without_a_session_loses_none(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.get("/tiny/drift").headers


def test_what_was_asked_for_is_shown_after_logging_in(client: FlaskClient) -> None:
    asked = "/tiny/incidents?verdict=promoted&before=12"
    page = client.get(client.get(asked).headers["Location"])
    assert f'value="{escape(asked)}"' in page.text
    assert log_in(client, to=asked) == (303, asked)


def test_a_wrong_token_is_refused_and_too_many_of_them_keep_out_nobody_who_has_one(client: FlaskClient) -> None:
    assert [log_in(client, "wrong")[0] for _ in range(ATTEMPTS + 1)] == [401] * ATTEMPTS + [429]
    assert client.get("/tiny/drift").status_code == 302
    assert log_in(client)[0] == 303


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example", "x",
                                "/\t/elsewhere.example?a=b"])
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


@pytest.mark.parametrize(("host", "status"), [
    ("127.0.0.1:8050", 200), ("LOCALHOST:8050", 200), ("[::1]:8050", 200), ("localhost", 200),
    ("elsewhere.example:8050", 403), ("127.0.0.1.elsewhere.example", 403), ("localhost@elsewhere.example", 403),
    ("10.0.0.1:8050", 403), ("[::1", 403)])
def test_without_tokens_it_answers_to_names_of_this_machine_only(tmp_path: Path, host: str, status: int) -> None:
    client = build(site(tmp_path), PAGES, Tokens([])).test_client()
    assert client.get("/tiny/drift", headers={"Host": host}).status_code == status
    assert client.post("/_dash-update-component", json={}, headers={"Host": "elsewhere.example"}).status_code == 403


def test_with_tokens_it_answers_to_the_name_that_a_proxy_gives_it(client: FlaskClient) -> None:
    assert client.get("/login", headers={"Host": "console.example"}).status_code == 200


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
