"""The rows of a body that is a JSON array."""

import msgspec

from doors.problem import refusal


def array_rows(body: bytes, remedy: str) -> list[bytes]:
    """JSON of each row.

    Raises:
        Refused: 400, with this remedy, when the body is no JSON array.
    """
    try:
        return [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refusal(400, f"no JSON array: {error}", "the body", remedy) from error
