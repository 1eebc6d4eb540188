"""What the site needs done to pages that are also read elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
_PAGE = re.compile(r'^--8<-- "([\w/]+\.md)"$', re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page from outside `docs/` is put in here, before links are checked, and its links into `docs/` are as
    seen from there.
    """
    return _PAGE.sub(lambda found: _from_outside(found[1]), markdown)


def _from_outside(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8").replace("](../docs/", "](")
