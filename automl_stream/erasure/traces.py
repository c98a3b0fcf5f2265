"""Whether the bytes of a record hold an entity. No I/O."""

import msgspec

from schemas.codec import decode
from schemas.messages import DeadLetter


def names(entity: str, data: bytes | None) -> bool:
    """Whether JSON says that this is its entity, or bytes that are no JSON hold its name in quotation marks.

    >>> names("ada", b'{"entity": "ada"}'), names("ada", b'{"entity": "adam"}'), names("ada", b'{"entity":"ada"')
    (True, False, True)
    """
    if not data:
        return False
    try:
        document = msgspec.json.decode(data)
    except ValueError:
        return msgspec.json.encode(entity) in data
    return isinstance(document, dict) and document.get("entity") == entity


def letter_names(entity: str, value: bytes | None) -> bool:
    """Whether a dead letter is of an event of this entity: by the event's key, which is the entity, or by its bytes."""
    try:
        letter = decode(value or b"", DeadLetter)
    except ValueError:
        return names(entity, value)
    return letter.raw_key == entity.encode() or names(entity, letter.raw)
