"""How a page is made of a template. Everything is escaped; what is safe markup says so itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(request: Request, template: str, **context: Any) -> HTMLResponse:
    """A page; every template may also use `settings`, `person` (None if nobody is signed in) and `csrf`."""
    shared = {
        "settings": request.app.state.project.settings,
        "person": getattr(request.state, "person", None),
        "csrf": getattr(request.state, "csrf", ""),
        "path": request.url.path,
    }
    return HTMLResponse(environment().get_template(template).render(shared | context))
