"""Rewards: whatever scores responses to prompts. They work on text, so tokenizers never have to match.

A Python function, a Hugging Face classifier with its own tokenizer, an HTTP endpoint, or the reward role of
the policy's own backbone; one file each. Scores are used after `checked` has seen them.
"""

from heedful.models.rewards.backbone import BackboneReward
from heedful.models.rewards.build import build, is_reward, load_reward, standalone
from heedful.models.rewards.classifier import ClassifierReward
from heedful.models.rewards.combine import LengthTerm, WeightedSum
from heedful.models.rewards.function import FunctionReward, source_of
from heedful.models.rewards.http import HttpReward
from heedful.models.rewards.merged import MergedReward
from heedful.models.rewards.reward import Reward, checked, cut_by, prompt_text

__all__ = [
    "BackboneReward",
    "ClassifierReward",
    "FunctionReward",
    "HttpReward",
    "LengthTerm",
    "MergedReward",
    "Reward",
    "WeightedSum",
    "build",
    "checked",
    "cut_by",
    "is_reward",
    "load_reward",
    "prompt_text",
    "source_of",
    "standalone",
]
