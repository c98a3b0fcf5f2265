from schemas.json_schema import DIRECTORY, TYPES, json_schemas
from schemas.messages import Message


def test_the_checked_in_schemas_are_those_of_the_types() -> None:
    found = {path.name: path.read_bytes() for path in DIRECTORY.iterdir()}
    assert found == json_schemas(), "run: python -m schemas.json_schema"


def test_every_message_type_has_a_schema() -> None:
    assert set(Message.__subclasses__()) <= set(TYPES)
