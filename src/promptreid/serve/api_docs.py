"""The page that describes the routes, made from OpenAPI; it needs no script and no network."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #777; --mark: #06c; }
@media (prefers-color-scheme: dark) { :root { --dim: #aaa; --mark: #6af; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; text-transform: capitalize; }
h3 { font: 600 1rem/1.5 ui-monospace, monospace; margin: .5rem 0; overflow-wrap: anywhere; }
h3 b { color: var(--mark); display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .15rem .75rem .15rem 0; }
td:first-child { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
td:nth-child(2), .dim { color: var(--dim); }
code { font-family: ui-monospace, monospace; }
@media (max-width: 40rem) {
  td { display: block; padding: 0; }
  tr { display: block; padding: .35rem 0; }
}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
DOCS_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; frame-ancestors 'none'"
)
"""What this page may load: its own style and nothing else."""


def render_docs(description: Mapping[str, Any]) -> str:
    """Return the page for a description of routes by OpenAPI 3.1."""
    info = description["info"]
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
            f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
            f"<p>{escape(info['description'])}</p>",
            '<p>For programs: <a href="/openapi.json">openapi.json</a>. Every refusal is '
            "<code>application/problem+json</code> with a sentence in <code>detail</code>.</p>",
            *_render_groups(description),
            "</html>",
        ]
    )


def _render_groups(description: Mapping[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, route in methods.items():
            section = "".join(_render_route(description, method, path, route))
            groups.setdefault(route["tags"][0], []).append(section)
    for name, sections in groups.items():
        yield f"<h2>{escape(name)}</h2>"
        yield from sections


def _render_route(
    description: Mapping[str, Any], method: str, path: str, route: Mapping[str, Any]
) -> Iterator[str]:
    yield f"<section><h3><b>{method.upper()}</b> {escape(path)}</h3>"
    yield f"<p>{_mark_code(route.get('description', route['summary']))}</p>"
    rows = [
        (one["name"], f"{one['in']}, {_name_type(description, one['schema'])}",
         one.get("description", ""))
        for one in route.get("parameters", ())
    ]  # fmt: skip
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        where = "form" if "form" in kind else "JSON"
        body = _follow(description, content["schema"])
        rows += [
            (name, f"{where}, {_name_type(description, field)}"
             + (", required" if name in body.get("required", ()) else ""),
             field.get("description", ""))
            for name, field in body.get("properties", {}).items()
        ]  # fmt: skip
    if rows:
        cells = ["".join(f"<td>{_mark_code(cell)}</td>" for cell in row) for row in rows]
        yield f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
    yield '<p class="dim">Answers: '
    yield "; ".join(
        f"{status} {escape(_name_answer(description, answer))}"
        for status, answer in sorted(route["responses"].items())
        if status[0] == "2"
    )
    refusals = [status for status in sorted(route["responses"]) if status[0] != "2"]
    yield f". Refusals: {', '.join(refusals)}.</p></section>"


def _mark_code(text: str) -> str:
    """Return words as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _name_answer(description: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    for kind, content in answer.get("content", {}).items():
        if kind == "application/json":
            schema = content.get("schema", {})
            fields = _follow(description, schema).get("properties", {})
            listed = ", ".join(
                f"{name}: {_name_type(description, field)}" for name, field in fields.items()
            )
            return f"{_name_type(description, schema)} {{{listed}}}"
        return kind
    return answer.get("description", "")


def _follow(description: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema that a reference leads to."""
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _name_type(description: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Name the type of a field in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(_name_type(description, one) for one in kinds)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_name_type(description, schema.get('items', {}))}"
    if (
        schema.get("contentMediaType") == "application/octet-stream"
        or schema.get("format") == "binary"
    ):
        return "file"
    return kind
