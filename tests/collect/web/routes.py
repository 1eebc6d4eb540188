"""All routes of the app, found in it, so that tests of who may do what cover those that come later too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.routing import APIRoute


class Asked(NamedTuple):
    """A method and a path, with something in the place of each parameter."""

    method: str
    path: str


def pages(app: FastAPI) -> list[Asked]:
    """Those of pages; the API and static files are others."""
    return [asked for asked in _all(app) if not asked.path.startswith("/api")]


def operations(app: FastAPI) -> list[Asked]:
    """Those of the API."""
    return [asked for asked in _all(app) if asked.path.startswith("/api/v1")]


def _all(app: FastAPI) -> list[Asked]:
    filled = {"id": "1", "rest": "nowhere"}
    return [
        Asked(method, re.sub(r"\{(\w+)(:\w+)?\}", lambda found: filled.get(found[1], "x" * 22), route.path))
        for route in _walk(app.routes)
        for method in sorted(route.methods)
    ]


def _walk(routes: Sequence[Any]) -> Iterator[APIRoute]:
    for route in routes:
        inner = getattr(route, "original_router", None)  # newer releases of FastAPI keep routers apart
        if inner is not None:
            yield from _walk(inner.routes)
        elif isinstance(route, APIRoute):
            yield route
