"""The app put together: middleware, pages, the API, and what an error looks like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from heedful.collect.sampling.chat import Chats
from heedful.collect.store.project import Project
from heedful.collect.web import (
    account,
    api,
    api_page,
    chat,
    dashboard,
    downloads,
    judging,
    login,
    own_votes,
    people,
    review,
)
from heedful.collect.web.errors import UNREACHABLE, Failures, explained, to_sign_in, unfit, unreachable
from heedful.collect.web.limits import Limits, RateLimit
from heedful.collect.web.security import BodyLimit, Door, Headers
from heedful.collect.web.visit import NotSignedIn

STATIC = Path(__file__).parent / "static"


def create_app(
    project: Project,
    *,
    hosts: Sequence[str] = (),
    limits: Limits | None = None,
    chats: Chats | None = None,
) -> FastAPI:
    """The app of a project.

    Args:
        hosts: names besides `localhost` and addresses in digits by which people may reach it.
        limits: how often it may be asked; the usual ones by default.
        chats: conversations with models; where there are any the app begins with them.
    """
    app = FastAPI(title="heedful collect", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.project = project
    app.state.limits = limits or Limits()
    app.state.chats = chats
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimit, limits=app.state.limits)
    app.add_middleware(Door, hosts=hosts)
    app.add_middleware(Failures)
    app.add_middleware(Headers)  # the outermost: what the others answer has them too
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for part in (judging, api, login, account, people, own_votes, api_page, dashboard, downloads, review):
        app.include_router(part.router)
    if chats is not None:
        app.include_router(chat.router)
    app.add_exception_handler(NotSignedIn, to_sign_in)
    app.add_exception_handler(HTTPException, explained)
    app.add_exception_handler(RequestValidationError, unfit)
    for trouble in UNREACHABLE:
        app.add_exception_handler(trouble, unreachable)
    return app
