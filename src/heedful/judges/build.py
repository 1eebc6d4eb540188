"""From settings to a judge. What a kind of judge needs is imported when one is built."""

from __future__ import annotations

from pathlib import Path

from heedful.judges.judge import Judge
from heedful.recipe.judges import JudgeSettings


def build(settings: JudgeSettings) -> Judge:
    """The judge that the settings say.

    Raises:
        JudgeError: it cannot be had: no such function, no URL, a key that is not set, no such project.
        RewardError: a reward that cannot be called.
        ModelError: a reward model that cannot be loaded.
    """
    if settings.reward is not None:
        from heedful.judges.scores import ScoreJudge
        from heedful.models.rewards import standalone

        return ScoreJudge(standalone(settings.reward))
    if settings.function is not None:
        from heedful.judges.function import FunctionJudge

        return FunctionJudge(settings.function)
    if settings.endpoint is not None:
        from heedful.judges.chat import ChatJudge

        return ChatJudge(settings.endpoint)
    from heedful.judges.people import PeopleJudge

    assert settings.people is not None
    return PeopleJudge(Path(settings.people).expanduser())


def named(name: str) -> Judge:
    """The judge that a name means; see `JudgeSettings.named`."""
    return build(JudgeSettings.named(name))
