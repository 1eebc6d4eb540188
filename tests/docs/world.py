"""The folder in which a page's commands are run: the files that pages speak of, and a tiny default model."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import heedful
from heedful import data
from heedful.cli import main
from heedful.records import Candidates, Demonstration, Prompt
from tests.docs.blocks import CHECKOUT

REWARDS = """
def politeness(prompts, responses):
    return [float("please" in response) for response in responses]


def brevity(prompts, responses):
    return [-float(len(response.split())) for response in responses]
"""


# Enough for a run to be one.
STEPS = ("training.max_steps=1", "training.batch_size=4")
ROLLOUT = ("rollout.max_new_tokens=8", "rollout.held_out_prompts=2", "rollout.at_once=8")
RUNS = {
    "runs/first": ("dpo",),
    "runs/second": ("dpo",),
    "runs/reward": ("reward",),
    "runs/ppo": ("ppo", "--reward", "my_rewards.py:brevity", "training.checkpoint_every=1", *ROLLOUT),
}
# Advice wants more than the others.
PAIRS = {"docs/index.md": 160}
# What a page makes itself.
MADE = {"docs/preparing-data.md": ("pairs.jsonl",)}


def furnish(folder: Path, page: str) -> None:
    """Put into `folder` what pages take for granted."""
    pairs = heedful.read(data.path("everyday/preferences-train.jsonl"), limit=PAIRS.get(page, 24))
    held_out = heedful.read(data.path("everyday/preferences-held-out.jsonl"), limit=4)
    shown = [Demonstration(pair.prompt, pair.chosen, id=pair.id) for pair in pairs]
    asked = [Prompt(pair.prompt, id=f"prompt-{at}") for at, pair in enumerate(pairs)]
    heedful.write(pairs, folder / "pairs.jsonl")
    heedful.write(held_out, folder / "held-out.jsonl")
    heedful.write(held_out, folder / "test.jsonl")
    heedful.write(shown, folder / "demonstrations.jsonl")
    both = [Candidates(pair.prompt, (pair.chosen, pair.rejected), id=pair.id) for pair in pairs[:6]]
    heedful.write(asked[:6], folder / "prompts.jsonl")
    heedful.write(both, folder / "candidates.jsonl")
    _ratings(folder / "ratings.csv")
    for name in ("my_rewards.py", "reward.py"):
        (folder / name).write_text(REWARDS, encoding="utf-8")
    shutil.copytree(CHECKOUT / "recipes", folder / "recipes")
    for name in MADE.get(page, ()):
        (folder / name).unlink()


def train(page: str) -> None:
    """Make the runs that a page speaks of and does not make itself."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    for name, how in RUNS.items():
        makes = re.search(rf'output[ =]"?{name}\b', text)
        if name in text and not makes:
            arguments = [*how, "--quiet", "--train", "pairs.jsonl", "--output", name, *STEPS]
            assert main(arguments) == 0


def _ratings(path: Path) -> None:
    answers = "".join(
        f'"What is {n} and {n}?",{json.dumps(reply)},{score}\n'
        for n in range(12)
        for reply, score in ((f"{2 * n}.", 5), (f"It is {2 * n}, I think.", 3.5), ("No idea.", 1))
    )
    path.write_text(f"question,answer,score\n{answers}", encoding="utf-8")
