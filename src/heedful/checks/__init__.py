"""What is wrong with preference data: a linter, one file per fault.

The registry of all checks is loaded when it is asked for: what wants one file of this room, such as `text`,
does not pay for the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heedful.checks.registry import check

__all__ = ["check"]


def __getattr__(name: str) -> Any:
    if name == "check":
        from heedful.checks.registry import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
