"""Who compares answers: reward models, Python functions, chat endpoints and people, behind one protocol."""

from heedful.judges.build import build, named
from heedful.judges.judge import Judge, OnDone, Question, Verdict
from heedful.judges.orders import ask_both_orders, both_orders, duel
from heedful.recipe.judges import EndpointSettings, JudgeSettings

__all__ = [
    "EndpointSettings",
    "Judge",
    "JudgeSettings",
    "OnDone",
    "Question",
    "Verdict",
    "ask_both_orders",
    "both_orders",
    "build",
    "duel",
    "named",
]
