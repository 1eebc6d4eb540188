"""Who compares answers: reward models, Python functions, chat endpoints and people, behind one protocol."""

from heedful.judges.judge import Judge, OnDone, Question, Verdict
from heedful.judges.orders import both_orders

__all__ = ["Judge", "OnDone", "Question", "Verdict", "both_orders"]
