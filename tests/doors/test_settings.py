"""A door does not open for everybody unless it is told to, and what it says of a token is never the token."""

from pathlib import Path

import pytest

from doors.errors import UnusableSettings
from doors.settings import DoorSettings, read_door_settings

TOKEN = "0123456789abcdef"


def settings(**environment: str) -> DoorSettings:
    return read_door_settings(environment, "INGESTION_PORT", 8001)


def test_without_tokens_there_is_no_start() -> None:
    for nothing in ({}, {"AUTOML_STREAM_TOKENS": ""}, {"AUTOML_STREAM_TOKENS": "  "}):
        with pytest.raises(UnusableSettings, match="no token is set"):
            settings(**nothing)


def test_a_door_without_tokens_opens_on_loopback_only() -> None:
    for host in ("127.0.0.1", "::1", "localhost", ""):
        assert settings(AUTOML_STREAM_TOKENS="none", AUTOML_STREAM_HOST=host).tokens.caller(None) == ""
    for host in ("0.0.0.0", "10.0.0.1", "::", "example"):  # noqa: S104 - what must not be
        with pytest.raises(UnusableSettings, match="loopback only"):
            settings(AUTOML_STREAM_TOKENS="none", AUTOML_STREAM_HOST=host)


def test_tokens_come_from_a_file_and_the_environment_with_names_and_several_a_name(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"shop:{TOKEN}-old\nshop:{TOKEN}-new\n{TOKEN}\n")
    tokens = settings(AUTOML_STREAM_TOKENS_FILE=str(file), AUTOML_STREAM_TOKENS=f"till:{TOKEN}-till").tokens
    assert [tokens.caller(f"Bearer {TOKEN}{end}".encode()) for end in ("-old", "-new", "-till", "", "-no")] == [
        "shop", "shop", "till", "", None]
    assert tokens.caller(f"bearer {TOKEN}-new".encode()) == "shop"
    assert tokens.caller(None) is None


@pytest.mark.parametrize("entry", ["short", "name:short-secret", f"na me:{TOKEN}", f"nöm:{TOKEN}", f"a:b:{TOKEN}",
                                   f":{TOKEN}", "name:secret with spaces", "name:sécret-sécret-sécret"])
def test_an_entry_that_is_none_is_named_by_its_number(entry: str) -> None:
    with pytest.raises(UnusableSettings, match=r"AUTOML_STREAM_TOKENS: entry \d is none") as found:
        settings(AUTOML_STREAM_TOKENS=f"good:{TOKEN} {entry}")
    assert TOKEN not in str(found.value)
    assert "secret" not in str(found.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match=f"{tmp_path}/tokens, which cannot be read"):
        settings(AUTOML_STREAM_TOKENS_FILE=str(tmp_path / "tokens"))


@pytest.mark.parametrize("port", ["http", "-1", "65536"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(UnusableSettings, match=f"INGESTION_PORT is '{port}'"):
        settings(AUTOML_STREAM_TOKENS="none", INGESTION_PORT=port)


def test_settings_do_not_show_tokens() -> None:
    assert TOKEN not in repr(settings(AUTOML_STREAM_TOKENS=TOKEN))
