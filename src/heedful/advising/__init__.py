"""Advice from measurements: data are read, the model is asked, the rules of `heedful.advice` judge.

Puts the floors below together. `asking` measures the model, `trust` the labels and the reward, `costs` the
machine; what follows from the figures is decided in `heedful.advice`, which measures nothing.
"""

from heedful.advising.advice import Advice, advise, check_readiness

__all__ = ["Advice", "advise", "check_readiness"]
