"""How much memory a run needs, role by role and phase by phase, before anything is loaded.

`predict` adds up what `sizes` works out for a `Workload`, into a `Prediction`, whose largest phase is
the peak. Formulas have reasons; the few constants that were measured say how.
"""

from heedful.training.memory.predict import predict
from heedful.training.memory.prediction import Part, Phase, Prediction
from heedful.training.memory.room import resident_bytes, room_of
from heedful.training.memory.workload import Copies, CriticKind, Method, RewardKind, Rollout, Stage, Workload

__all__ = [
    "Copies",
    "CriticKind",
    "Method",
    "Part",
    "Phase",
    "Prediction",
    "RewardKind",
    "Rollout",
    "Stage",
    "Workload",
    "predict",
    "resident_bytes",
    "room_of",
]
