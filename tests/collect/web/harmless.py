"""Whether a page holds nothing but the app's own markup, whatever texts it shows."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

_ADDRESSES = ("href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset")
_REFUSED = ("iframe", "object", "embed", "base", "frame", "applet", "meta refresh", "style", "img", "marquee")


class _Page(HTMLParser):
    """Collects what could do harm, and all text and attribute values that a reader could see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.harm: list[str] = []
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.shown += given.values()
        self.harm += list(self._harms(tag, given))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def _harms(self, tag: str, given: dict[str, str]) -> Iterator[str]:
        if tag in _REFUSED or "http-equiv" in given:
            yield f"<{tag}>"
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            yield "a script of its own"
        for name, value in given.items():
            if name.startswith("on") or name == "style":
                yield f"<{tag} {name}={value}>"
            address = "".join(value.split()).lower()
            if name in _ADDRESSES and not address.startswith(
                ("/", "#", "data:,", "http://", "https://", "mailto:", "?")
            ):
                yield f"<{tag} {name}={value}>"


def look(html: str) -> tuple[list[str], str]:
    """What could do harm on a page, and all that it shows."""
    page = _Page()
    page.feed(html)
    page.close()
    return page.harm, "\n".join(page.shown)
