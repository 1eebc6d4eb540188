"""The one family of errors Heedful raises for a user's mistake or a machine's trouble.

Every message says what is wrong, where (a file and line, a record, a recipe key) and how to mend it. The
command line prints the message without a traceback and leaves with the class's exit code; Python callers
catch `HeedfulError`.
"""

from __future__ import annotations


class HeedfulError(Exception):
    """Something a user can understand and mend.

    Args:
        what: what is wrong, one sentence.
        where: file, `file:line`, record id or recipe key; printed first.
        mend: what to do about it; printed last.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what, self.where, self.mend = what, where, mend
        message = f"{where}: {what}" if where else what
        super().__init__(f"{message} {mend}" if mend else message)


class DataError(HeedfulError):
    """A data file cannot be read, or holds the wrong kind of record for the job."""


class RecipeError(HeedfulError):
    """A recipe or an override names an unknown key or holds a value that does not fit."""


class ModelError(HeedfulError):
    """A model or tokenizer cannot be found, loaded or used as asked."""


class NotFinite(ModelError):
    """A model's logits are NaN or infinite: no token can be chosen by them."""


class RewardError(HeedfulError):
    """A reward cannot be had or called, or its scores are not one finite number per response."""


class JudgeError(HeedfulError):
    """A judge cannot be had or asked."""


class RunError(HeedfulError):
    """A run folder is in the way, cannot be resumed, or cannot be written."""


class TrainingStopped(HeedfulError):
    """The guard gave up: training cannot go on sensibly. What was learned before is in the run folder."""

    exit_code = 3


class Interrupted(HeedfulError):
    """The user pressed Ctrl-C; the message names the checkpoint there is and says how to resume."""

    exit_code = 130
