"""The app put together: middleware, pages, the API, and what an error looks like."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from heedful.collect.project import Project
from heedful.collect.web import judging, login
from heedful.collect.web.pages import page
from heedful.collect.web.security import BodyLimit, Headers
from heedful.collect.web.visit import NotSignedIn

STATIC = Path(__file__).parent / "static"

EXPLAINED = {
    400: "That request made no sense to the app.",
    401: "Sign in to see this.",
    403: "You may not see this.",
    404: "There is no such page, or it is not yours.",
    413: "That is too much text.",
    429: "That was too often. Wait a little and try again.",
}


def create_app(project: Project) -> FastAPI:
    """The app of a project."""
    app = FastAPI(title="heedful collect", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.project = project
    app.add_middleware(BodyLimit)
    app.add_middleware(Headers)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for part in (login, judging):
        app.include_router(part.router)
    app.add_exception_handler(NotSignedIn, _sign_in)
    app.add_exception_handler(HTTPException, _explain)
    return app


def _sign_in(request: Request, _: Exception) -> Response:
    return RedirectResponse("/login", status_code=303)


def _explain(request: Request, error: Exception) -> Response:
    """An error as a page, or as JSON where a program asked."""
    assert isinstance(error, HTTPException)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
    said = EXPLAINED.get(error.status_code, "Something went wrong.")
    detail = error.detail if error.status_code in (400, 409, 422) else ""
    shown = page(request, "error.html.j2", status=error.status_code, said=said, detail=detail)
    shown.status_code = error.status_code
    shown.headers.update(error.headers or {})
    return shown
