"""What is wrong with preference data: a linter, one file per fault."""

from heedful.checks.registry import check

__all__ = ["check"]
