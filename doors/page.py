"""The OpenAPI document as a plain page: no script, nothing fetched from elsewhere, so that it works offline."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import OpenAPIRenderPlugin

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
h2{border-top:1px solid #ccc;padding-top:1rem}code,pre{background:#f4f4f4;border-radius:4px}
pre{padding:.7rem;overflow:auto}
code{padding:.1rem .3rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}summary{cursor:pointer}"""


class Page(OpenAPIRenderPlugin):
    """/docs: what the document says, for a person."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """HTML of the document."""
        del request
        info = openapi_schema["info"]
        title = escape(info["title"])
        lines = [f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>",
                 f"<h1>{title} {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>",
                 "<p>As a document: <a href=/docs/openapi.json>/docs/openapi.json</a></p>"]
        for path, methods in openapi_schema["paths"].items():
            for method, operation in methods.items():
                lines += _operation(method, path, operation)
        lines.append("<h2>Types</h2>")
        lines += [_details(name, schema) for name, schema in openapi_schema["components"].get("schemas", {}).items()]
        return "\n".join(lines).encode()


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(operation.get('description') or operation['summary'])}</p>"
    for parameter in operation.get("parameters", ()):
        yield (f"<p>{escape(parameter['in'])} parameter <code>{escape(parameter['name'])}</code>: "
               f"{escape(parameter.get('description', ''))}</p>")
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield _details(f"body as {kind}", content.get("schema", {}))
    yield "<table>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td><code>{status}</code><td>{escape(answer['description'])}"
    yield "</table>"


def _details(name: str, schema: Mapping[str, Any]) -> str:
    text = msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()
    return f"<details><summary><code>{escape(name)}</code></summary><pre>{escape(text)}</pre></details>"
