"""How a page is made of a template. Everything is escaped; what is safe markup says so itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from heedful.collect.web import text

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"markdown": text.rendered, "plain": text.plain, "is_long": text.is_long}
    return made


def page(request: Request, template: str, **context: Any) -> HTMLResponse:
    """A page; every template may also use `settings`, `person` (None if nobody is signed in), `csrf`, and
    `chats`, whether there are models to talk to.
    """
    shared = {
        "settings": request.app.state.project.settings,
        "person": getattr(request.state, "person", None),
        "csrf": getattr(request.state, "csrf", ""),
        "path": request.url.path,
        "chats": request.app.state.chats is not None,
    }
    return HTMLResponse(environment().get_template(template).render(shared | context))
