"""Arrow's types for the columns of rows, which JSON does not tell: found row by row, in flat memory.

A column whose values have one shape keeps it, lists and structs within each other included. One whose values
have several (text here, a number there; objects of other keys) is written as each value's JSON text, and
marked so that `arrow_rows` reads the values again. Knows nothing of layouts or files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .arrow_rows import AS_JSON

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST_EXACT = 1 << 53  # the whole numbers that a float holds exactly

Shape = str | tuple[str, Any]
"""`null`, `bool`, `int`, `float`, `text`, `("list", Shape)`, `("struct", {key: Shape})`, or `mixed`."""


class Columns:
    """The columns of all rows seen, in the order of their first appearance, and what they hold."""

    def __init__(self) -> None:
        self._shapes: dict[str, Shape] = {}
        self._as_json: frozenset[str] = frozenset()

    def see(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            self._shapes[name] = merged(self._shapes.get(name, "null"), shape(value))

    def schema(self) -> pa.Schema:
        """The columns' types, once all rows were seen."""
        import pyarrow as pa

        key, mark = AS_JSON
        self._as_json = frozenset(name for name, found in self._shapes.items() if _mixed(found))
        return pa.schema(
            [
                pa.field(name, pa.string(), metadata={key: mark})
                if name in self._as_json
                else pa.field(name, arrow_type(found))
                for name, found in self._shapes.items()
            ]
        )

    def value(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """The row as the schema's columns hold it."""
        text = {
            name: json.dumps(row[name], ensure_ascii=False)
            for name in self._as_json
            if row.get(name) is not None
        }
        return {**row, **text} if text else row


def shape(value: Any) -> Shape:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if abs(value) <= LARGEST_EXACT else "mixed"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "text"
    if isinstance(value, Mapping):
        return ("struct", {key: shape(item) for key, item in value.items()}) if value else "mixed"
    inner: Shape = "null"
    for item in value:
        inner = merged(inner, shape(item))
    return ("list", inner)


def merged(left: Shape, right: Shape) -> Shape:
    """The shape that holds values of both."""
    if left == right or right == "null":
        return left
    if left == "null":
        return right
    if isinstance(left, str) or isinstance(right, str):
        return "float" if (left, right) in (("int", "float"), ("float", "int")) else "mixed"
    (kind, inside), (other, beside) = left, right
    if kind == other == "list":
        return ("list", merged(inside, beside))
    if kind == other == "struct" and inside.keys() == beside.keys():
        return ("struct", {key: merged(inside[key], beside[key]) for key in inside})
    return "mixed"


def _mixed(found: Shape) -> bool:
    if isinstance(found, str):
        return found == "mixed"
    kind, inside = found
    return _mixed(inside) if kind == "list" else any(map(_mixed, inside.values()))


def arrow_type(found: Shape) -> pa.DataType:
    import pyarrow as pa

    if isinstance(found, str):
        return {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}.get(found, pa.string())
    kind, inside = found
    if kind == "list":
        return pa.list_(arrow_type(inside))
    return pa.struct([pa.field(key, arrow_type(item)) for key, item in inside.items()])
