"""A judge that is a Python function, named by module or by file, or handed over as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from heedful.errors import JudgeError
from heedful.evaluation.duels import Choice
from heedful.judges.judge import OnDone, Question, Verdict
from heedful.models.rewards.function import find
from heedful.models.rewards.reward import excerpt, prompt_text

CHOICES = get_args(Choice)


class FunctionJudge:
    """Calls `function(prompt, first, second)`, three texts, for "first", "second" or "tie".

    It is asked in both orders: nothing says that it does not look at them.

    Args:
        function: `package.module:function`, `path/to/file.py:function`, or the function itself.

    Raises:
        JudgeError: there is no such function, or its module cannot be imported.
    """

    symmetric = False

    def __init__(self, function: str | Callable[..., Any]) -> None:
        self.name, self._function = find(function, "judge", JudgeError)

    def again(self, number: int) -> FunctionJudge:
        """The same: a function keeps nothing that it was asked."""
        return self

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        """One verdict per question.

        Raises:
            JudgeError: it failed, or said something else; the message shows the texts.
        """
        found: list[Verdict] = []
        for question in questions:
            found.append(self._verdict(question))
            if on_done is not None:
                on_done(len(found))
        return found

    def _verdict(self, question: Question) -> Verdict:
        try:
            said = self._function(prompt_text(question.prompt), question.first, question.second)
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), "")
            what = f"it failed with {type(error).__name__}{': ' if reason else ''}{reason}."
            raise self._complaint(what, question, _mend(error)) from error
        if not isinstance(said, str) or said not in CHOICES:
            what = f"it said {str(said)[:60]!r}, which is none of first, second and tie."
            raise self._complaint(what, question)
        return Verdict(said)  # type: ignore[arg-type]  # checked against CHOICES on the lines above

    def _complaint(self, what: str, question: Question, mend: str = "") -> JudgeError:
        texts = {"prompt": prompt_text(question.prompt), "first": question.first, "second": question.second}
        shown = "".join(f"\n  {name}: {excerpt(text)}" for name, text in texts.items())
        return JudgeError(f"{what}{' ' if mend else ''}{mend}{shown}", where=f"judge {self.name}")


def _mend(error: Exception) -> str:
    """What to say of a function of prompts and responses, which is a reward."""
    if isinstance(error, TypeError) and "positional argument" in str(error):
        return "A judge takes prompt, first and second; a function of prompts and responses is reward:NAME."
    return ""
