"""From a model's shape and what is to be done with it to a prediction of memory."""

from __future__ import annotations

from heedful.training.memory.phases import phases
from heedful.training.memory.prediction import Prediction
from heedful.training.memory.workload import Workload

NOT_OFFERED = "4-bit base weights are predicted for comparison; Heedful does not load them yet."


def predict(work: Workload) -> Prediction:
    """What a run needs, phase by phase."""
    return Prediction(tuple(phases(work)), (NOT_OFFERED,) if work.quantised else ())
