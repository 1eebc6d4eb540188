"""YAML as a recipe means it: `5e-6` is a number, a date is text, a key stands once, and every key has a line.

Reads a file into plain values and the line of each dotted key. Knows nothing of which keys a recipe has.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from heedful.errors import RecipeError

FLOAT = "tag:yaml.org,2002:float"
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's numbers: PyYAML follows 1.1, where `5e-6` is text for want of a point."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (FLOAT, TIMESTAMP)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    FLOAT,
    re.compile(
        r"(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+.0123456789"),
)


def read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The values of a file, and the line of each dotted key.

    Raises:
        RecipeError: no such file, not YAML, empty, a key twice, or something other than keys with values.
    """
    text = _text(path)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        lines: dict[str, int] = {}
        _walk(
            node, "", lines, str(path)
        )  # before the values are built, which flattens merged keys into the node
        values = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        raise _broken(error, str(path)) from error
    if node is None or values is None:
        raise RecipeError("this recipe is empty.", where=str(path), mend="It needs at least data.train.")
    if not isinstance(values, dict):
        raise RecipeError(
            "a recipe is a list of `key: value` lines, and this is not one.", where=f"{path}:{_line(node)}"
        )
    return _with_text_keys(values), lines


def parse(text: str, place: str) -> Any:
    """The value of an override: a scalar or a list.

    Raises:
        RecipeError: broken YAML, or keys within the value.
    """
    try:
        value = yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or str(error)
        raise RecipeError(
            f"the value is not YAML: {reason}.", where=place, mend="Put it in quotes."
        ) from error
    if isinstance(value, dict):
        raise RecipeError("an override sets one key, not several.", where=place)
    return value


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(one) for key, one in value.items()}
    return value


def _text(path: Path) -> str:
    if path.is_dir():
        raise RecipeError("this is a folder; a recipe is a YAML file.", where=str(path))
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, beside, n=1)
        raise RecipeError(
            "no such file.", where=str(path), mend=f"Did you mean {path.parent / near[0]}?" if near else None
        ) from error
    except UnicodeDecodeError as error:
        raise RecipeError("this is not text in UTF-8.", where=str(path)) from error
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror or error}.", where=str(path)) from error


def _broken(error: yaml.YAMLError, path: str) -> RecipeError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line = error.problem_mark.line + 1
        return RecipeError(f"this is not YAML: {error.problem or error.context}.", where=f"{path}:{line}")
    return RecipeError(f"this is not YAML: {' '.join(str(error).split())}.", where=path)


def _walk(node: Node | None, prefix: str, lines: dict[str, int], path: str) -> None:
    """Note the line of every key; a key that stands twice would silently lose its first value."""
    if isinstance(node, SequenceNode):
        for position, item in enumerate(node.value):
            lines[f"{prefix}{position}"] = _line(item)
            _walk(item, f"{prefix}{position}.", lines, path)
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        name = prefix + str(key.value)
        if name in lines:
            raise RecipeError(
                f"{name} stands twice, first in line {lines[name]}.", where=f"{path}:{_line(key)}"
            )
        lines[name] = _line(key)
        _walk(value, f"{name}.", lines, path)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
