"""What the OpenAPI document says of a body that its handler reads by itself, so that Litestar cannot know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody


def with_body(bodies: Mapping[str, Mapping[str, Any]]) -> type[Operation]:
    """An operation with these bodies: JSON Schemas by media type."""

    @dataclass
    class WithBody(Operation):
        def __post_init__(self) -> None:
            content: Any = {kind: OpenAPIMediaType(schema=dict(schema)) for kind, schema in bodies.items()}  # type: ignore[arg-type]
            self.request_body = RequestBody(content=content, required=True)

    return WithBody


def whole_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema of a struct without references: Litestar keeps no components but its own."""
    _, components = msgspec.json.schema_components((kind,), ref_template="{name}")

    def whole(part: Any) -> Any:
        if isinstance(part, dict):
            return whole(components[part["$ref"]]) if "$ref" in part else {k: whole(v) for k, v in part.items()}
        return [whole(item) for item in part] if isinstance(part, list) else part

    return whole(components[kind.__name__])
