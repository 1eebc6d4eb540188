"""The fixtures of the command line's tests, for whole commands."""

from tests.cli.conftest import heedful, model, run

__all__ = ["heedful", "model", "run"]
