"""Bearer tokens: who is at the door. Only their digests are kept."""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256

from doors.errors import UnusableSettings

SHORTEST = 16
UNNAMED = ""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_TOKEN = re.compile(rf"[A-Za-z0-9._~+/=-]{{{SHORTEST},512}}")
_SCHEME = b"bearer "


class Tokens:
    """Names by token; without any, everybody comes in without a name. A name may have several: an old and a new one."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        """`pairs`: (name, token)."""
        self._digests = [(name, sha256(token.encode()).digest()) for name, token in pairs]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def caller(self, authorization: bytes | None) -> str | None:
        """Name of who sent this header `Authorization`; None for a stranger. Takes as long for every token."""
        if not self._digests:
            return UNNAMED
        given = authorization or b""
        digest = sha256(given[len(_SCHEME):].strip()).digest()
        found = None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found if given[: len(_SCHEME)].lower() == _SCHEME else None


def parse_tokens(text: str, origin: str) -> list[tuple[str, str]]:
    """(name, token) of each entry: `name:token`, or only `token`; entries are separated by white space or commas.

    Raises:
        UnusableSettings: naming `origin` and the number of the entry, never the entry.
    """
    pairs = []
    for number, entry in enumerate(re.split(r"[\s,]+", text.strip()), start=1):
        name, colon, token = entry.rpartition(":")
        if (colon and not _NAME.fullmatch(name)) or not _TOKEN.fullmatch(token):
            raise UnusableSettings(
                f"{origin}: entry {number} is none; it must be NAME:TOKEN or TOKEN, the name of letters, digits, '.', "
                f"'_' and '-', the token of at least {SHORTEST} letters, digits and ._~+/=- (such as "
                "`openssl rand -hex 24` gives)")
        pairs.append((name or UNNAMED, token))
    return pairs
