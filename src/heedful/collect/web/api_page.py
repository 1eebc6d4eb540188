"""The OpenAPI document of the REST API, and a page that shows it with nothing loaded from elsewhere.

Both are there for anybody: they say what can be asked, and nothing of what a project holds.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse

from heedful.collect.web import api, api_document
from heedful.collect.web.api_models import Problem
from heedful.collect.web.pages import page

router = APIRouter()

ABOUT = """\
Every request carries a token: `Authorization: Bearer TOKEN`. It acts for one person, and may what they may.
Errors are `{"detail": "..."}`."""


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document; it covers the API alone, and no pages."""
    made = get_openapi(
        title="heedful collect", version=version("heedful"), description=ABOUT, routes=api.router.routes
    )
    made["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
    api_document.reword(made)
    return made


@router.get("/api/openapi.json")
def openapi() -> Response:
    return JSONResponse(document())


@router.get("/api")
def show(request: Request) -> Response:
    base = str(request.base_url).rstrip("/")
    told = document()
    return page(
        request,
        "api.html.j2",
        operations=api_document.operations(told, base),
        shapes=api_document.shapes(told),
    )
