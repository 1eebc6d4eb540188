"""An OpenAPI document taken apart for the page that shows it: operations, fields, and types in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]
_WORDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
_METHODS = ("get", "post", "put", "patch", "delete")
_REF = "#/components/schemas/"
_NEST = 4  # levels of an example
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a key of an object.

    Attributes:
        type: in words.
        links: the schemas that the type names.
    """

    name: str
    type: str
    links: tuple[str, ...]
    required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation may answer."""

    status: str
    about: str
    schema: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    tag: str
    about: str
    curl: str
    parameters: list[Field] = field(default_factory=list)
    body: str | None = None
    replies: list[Reply] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shape:
    """A named schema."""

    name: str
    about: str
    fields: list[Field]


def operations(document: Schema, base: str) -> list[Operation]:
    """The operations in the document's order.

    Args:
        base: the server's address, for the examples.
    """
    found = []
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                found.append(_operation(document, base, path, method, methods[method]))
    return found


def shapes(document: Schema) -> dict[str, Shape]:
    """The named schemas by name."""
    return {
        name: Shape(name, schema.get("description", ""), list(_fields(schema)))
        for name, schema in sorted(document["components"]["schemas"].items())
    }


def reword(document: Any) -> None:
    """Let summaries be what the handlers' docstrings say, and describe keys as classes' docstrings do."""
    for methods in document["paths"].values():
        for told in methods.values():
            told["summary"] = told.pop("description")
            for reply in told["responses"].values():
                reply["description"] = reply["description"].replace("Successful Response", "Done.")
    for schema in document["components"]["schemas"].values():
        about, _, attributes = schema.get("description", "").partition("\n\nAttributes:\n")
        if about:
            schema["description"] = " ".join(about.split())
        for name, words in _ATTRIBUTE.findall(attributes):
            said = " ".join(words.split())
            schema["properties"][name].setdefault("description", said[0].upper() + said[1:])


def _operation(document: Schema, base: str, path: str, method: str, told: Schema) -> Operation:
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return Operation(
        id=f"{method}-{path.strip('/').replace('/', '-').replace('{', '').replace('}', '')}",
        method=method.upper(),
        path=path,
        tag=told["tags"][0],
        about=told["summary"],
        curl=_curl(document, base, path, method, body),
        parameters=[_parameter(one) for one in told.get("parameters", ())],
        body=None if body is None else _name(body),
        replies=[_reply(status, reply) for status, reply in told["responses"].items()],
    )


def _parameter(told: Schema) -> Field:
    about = told.get("description", "")
    return Field(
        told["name"],
        f"{_type(told['schema'])}, in the {told['in']}",
        (),
        told.get("required", False),
        f"{about} {_default(told['schema'])}".strip(),
    )


def _reply(status: str, told: Schema) -> Reply:
    schema = told.get("content", {}).get("application/json", {}).get("schema")
    return Reply(status, told["description"], None if schema is None else _name(schema))


def _fields(schema: Schema) -> Iterator[Field]:
    for name, told in schema.get("properties", {}).items():
        about = f"{told.get('description', '')} {_default(told)}".strip()
        links = tuple(dict.fromkeys(_refs(told)))
        yield Field(name, _type(told), links, name in schema.get("required", ()), about)


def _default(schema: Schema) -> str:
    value = schema.get("default")
    return "" if value is None or value == "" or value == [] else f"By default {json.dumps(value)}."


def _type(schema: Schema) -> str:
    """A type in words."""
    if "$ref" in schema:
        return _name(schema)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"object of {_type(values)}" if isinstance(values, Mapping) and values else "object"
    if kind == "null":
        return "null"
    if schema.get("format") == "date-time":
        return "time (ISO 8601)"
    return _WORDS.get(str(kind), "anything") + _bounds(schema)


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low:g} to {high:.15g}"
    if low is not None:
        return f" from {low:g}"
    longest = schema.get("maxLength")
    return f" of at most {longest} characters" if longest is not None else ""


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_REF) if "$ref" in schema else _type(schema)


def _refs(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield _name(schema)
        for value in schema.values():
            yield from _refs(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _refs(value)


def _curl(document: Schema, base: str, path: str, method: str, body: Schema | None) -> str:
    lines = [f"curl{'' if method == 'get' else f' -X {method.upper()}'} {base}{path}"]
    lines.append("-H 'Authorization: Bearer TOKEN'")
    if body is not None:
        lines.append("-H 'Content-Type: application/json'")
        lines.append(f"-d '{json.dumps(_example(document, body))}'")
    return " \\\n  ".join(lines)


def _example(document: Schema, schema: Schema, depth: int = 0) -> Any:
    """A value that fits, with the keys that are required; what the schema gives as an example comes first."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "$ref" in schema:
        return _example(document, document["components"]["schemas"][_name(schema)], depth)
    if "default" in schema:
        return schema["default"]
    for choice in ("enum", "anyOf"):
        if choice in schema:
            first = schema[choice][0]
            return _example(document, first, depth) if choice == "anyOf" else first
    kind = schema.get("type")
    if kind == "object" and depth < _NEST:
        wanted = schema.get("required", ())
        properties = schema.get("properties", {})
        return {name: _example(document, properties[name], depth + 1) for name in wanted}
    return {"object": {}, "array": [], "integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "...")
