"""Losses as pure functions: tensors in, one loss per token or pair and a dictionary of metrics out.

Knows nothing of models, files, configuration or logging. The training loop decides how to normalise, which is
why nothing here takes a mean. Choosing a preference loss is a look-up: `PREFERENCE["dpo"]`.
"""

from heedful.objectives.preference import PREFERENCE, PreferenceObjective, dpo, ipo
from heedful.objectives.sft import Metrics, sft

__all__ = ["PREFERENCE", "Metrics", "PreferenceObjective", "dpo", "ipo", "sft"]
