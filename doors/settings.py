"""What a door reads from its environment, once, at the edge."""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from doors.errors import UnusableSettings
from doors.tokens import Tokens, parse_tokens

LOOPBACK = "127.0.0.1"
LAST_PORT = 65_535
NO_TOKENS = "none"

SINGLE_BYTES = 256 << 10  # the body of one event
BATCH_BYTES = 8 << 20
MOST_ROWS = 10_000  # of a batch


class Limits(Struct, frozen=True, kw_only=True):
    """What a door bears. `idle_seconds`: until a connection without a request is closed; `held_bytes`: of all bodies
    together; `requests_each`: under way of one caller, so that the others are served."""

    connections: int = 1_000
    header_seconds: float = 10.0
    header_bytes: int = 64 << 10
    body_seconds: float = 20.0
    idle_seconds: float = 75.0
    held_bytes: int = 64 << 20
    requests: int = 256
    requests_each: int = 64


class DoorSettings(Struct, frozen=True, kw_only=True):
    """Where a door listens, whom it lets in, and what it bears."""

    host: str
    port: int
    tokens: Tokens
    limits: Limits = Limits()


def read_door_settings(environment: Mapping[str, str], port_variable: str, port: int) -> DoorSettings:
    """Settings of a door whose port is in `port_variable`, else `port`.

    Raises:
        UnusableSettings: naming the variable.
    """
    host = environment.get("AUTOML_STREAM_HOST") or LOOPBACK
    return DoorSettings(host=host, port=_read_port(environment, port_variable, port),
                        tokens=_read_tokens(environment, host))


def _read_port(environment: Mapping[str, str], variable: str, port: int) -> int:
    """The port in `variable`, else `port`.

    Raises:
        UnusableSettings: naming the variable.
    """
    number = environment.get(variable) or str(port)
    if not (number.isdecimal() and int(number) <= LAST_PORT):
        raise UnusableSettings(f"{variable} is '{number}'; it must hold a port number, 0 to {LAST_PORT}")
    return int(number)


def _read_tokens(environment: Mapping[str, str], host: str) -> Tokens:
    text, file = environment.get("AUTOML_STREAM_TOKENS", "").strip(), environment.get("AUTOML_STREAM_TOKENS_FILE")
    if text == NO_TOKENS:
        if not is_loopback(host):
            raise UnusableSettings(f"AUTOML_STREAM_TOKENS is '{NO_TOKENS}' and AUTOML_STREAM_HOST is '{host}'; without "
                                   "tokens a door opens on loopback only: set tokens, or unset AUTOML_STREAM_HOST")
        return Tokens([])
    pairs = parse_tokens(text, "AUTOML_STREAM_TOKENS") if text else []
    if file:
        try:
            pairs += parse_tokens(Path(file).read_text("utf-8"), file)
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableSettings(f"AUTOML_STREAM_TOKENS_FILE names {file}, which cannot be read ({error}); "
                                   "correct it or its permissions") from error
    if not pairs:
        raise UnusableSettings(
            "no token is set; AUTOML_STREAM_TOKENS_FILE must name a file of them, or AUTOML_STREAM_TOKENS hold them, "
            f"as NAME:TOKEN; AUTOML_STREAM_TOKENS={NO_TOKENS} opens the door to everybody on this machine")
    return Tokens(pairs)


def is_loopback(host: str) -> bool:
    """Whether this address or name is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
