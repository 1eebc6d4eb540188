"""The keys of a settings model by their dotted names, and what each of them takes, in words.

Knows pydantic's fields, and nothing of files or of what any key is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

WORDS: dict[Any, tuple[str, str]] = {
    str: ("text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("true or false", "true or false"),
    type(None): ("null", "nulls"),
}


def fields(kind: type[BaseModel], prefix: str = "", *, items: bool = False) -> dict[str, FieldInfo]:
    """Every key by its dotted name, sections included; with `items` also the keys of a list's sections,
    without the position.
    """
    found: dict[str, FieldInfo] = {}
    for name, field in kind.model_fields.items():
        found[prefix + name] = field
        section = section_of(field) or (item_of(field) if items else None)
        if section:
            found |= fields(section, f"{prefix}{name}.", items=items)
    return found


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a key is, be it that null may stand in its place."""
    kinds = [field.annotation, *(get_args(field.annotation) if may_be_null(field) else ())]
    return next((kind for kind in kinds if is_section(kind)), None)


def may_be_null(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def item_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a list's items are, where the key takes a list of sections."""
    inner = get_args(field.annotation)
    listed = get_origin(field.annotation) is list and is_section(inner[0])
    return inner[0] if listed else None


def is_section(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def describe(field: FieldInfo) -> str:
    """What a key takes, in words: "a whole number of at least 1 or null"."""
    return _words(field.annotation, field.metadata)


def _words(kind: Any, limits: Sequence[Any], many: bool = False) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if is_section(kind):
        return "sections of keys" if many else "a section of keys"
    if origin is dict:
        return f"a mapping of names to {_words(inner[1], (), many=True)}"
    if origin is Annotated:
        return _words(
            inner[0], [limit for note in inner[1:] for limit in getattr(note, "metadata", [note])], many
        )
    if origin is Literal:
        return inner[0] if len(inner) == 1 else f"one of {', '.join(map(str, inner))}"
    if origin in (list, tuple):
        return f"a list of {_words(inner[0], (), many=True)}"
    if inner and (origin is Union or type(kind).__name__ == "UnionType"):
        return " or ".join(_words(one, ()) for one in inner)
    bounds = " and ".join(words for limit in limits if (words := _bound(limit, kind)))
    word = WORDS[kind][many]
    return f"{word} {bounds}" if bounds else word


def _bound(limit: Any, kind: Any) -> str:
    match limit:
        case Ge(ge=low):
            return f"of at least {low}"
        case Gt(gt=low):
            return f"above {low}"
        case Le(le=high):
            return f"of at most {high}"
        case Lt(lt=high):
            return f"below {high}"
        case MinLen() if kind is str:
            return ""
    return ""
