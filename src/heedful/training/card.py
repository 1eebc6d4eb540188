"""The model card of a run: lineage, numbers and how to load it, from what the run folder says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heedful.models.catalog import Source
from heedful.models.export import REWARD_FILE
from heedful.training.run_folder import RunFolder

_TEMPLATE = """# {title}

Trained with [Heedful](https://pypi.org/project/heedful/) {version} by {stage}{objective}.

| | |
| --- | --- |
| base model | `{base}` |
| folded in before | {lineage} |
| training rows | {train} |
| held-out rows | {held_out} |
| steps | {steps} |
| learning rate | {learning_rate} |
| compute type | {dtype} |
| seed | {seed} |
| weights fingerprint | `{fingerprint}` |
| data fingerprint | `{data}` |

## On the held-out rows

{evaluation}
{more}
## Loading it

{loading}"""

_REWARD = """It gives a response one score, higher for what people prefer, and loads as a sequence \
classifier with one label{parts}. The score is read at the last token, the one that ends the turn. From it \
the `mean` in `{record}` is to be subtracted, so that 0 is what the better responses scored in training.

```python
import json
from pathlib import Path

import torch
{imports}

folder = Path("{folder}")
tokenizer = AutoTokenizer.from_pretrained(folder)
{model}
mean = json.loads((folder / "{record}").read_text())["mean"]

{text}
tokens = tokenizer(text, add_special_tokens={special}, return_tensors="pt")
with torch.no_grad():
    score = float(model.eval()(input_ids=tokens["input_ids"]).logits[0, 0]) - mean
```
"""

# A conversation as text, by the template that the run's own rows were rendered with.
_CHAT = """messages = [
    {"role": "user", "content": "Name one prime number."},
    {"role": "assistant", "content": "Two."},
]
text = tokenizer.apply_chat_template(messages, tokenize=False).rstrip()"""
_RAW = 'text = "One prime number is" + " two." + tokenizer.eos_token'

_METHODS = {"reward": "reward modelling"}


_PLAIN = """# {title}
{more}
## Loading it

{loading}"""


def write_card(run: RunFolder) -> None:
    """Write `model_card.md` from `run.json`."""
    (run.path / "model_card.md").write_text(card(run), encoding="utf-8")


def card(run: RunFolder, more: str = "") -> str:
    """The card of a run, with `more` said of it: Markdown, a section or several."""
    info = run.info()
    recipe: dict[str, Any] = info["recipe"]
    objective = (
        f" ({recipe['objective.name']}, β = {recipe['objective.beta']})" if "objective.name" in recipe else ""
    )
    numbers = info.get("evaluation") or {}
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in numbers.items())
    return _TEMPLATE.format(
        title=run.path.name,
        more=f"\n{more}" if more else "",
        version=info["versions"]["heedful"],
        stage=_METHODS.get(info["stage"], info["stage"].upper()),
        objective=objective,
        base=info["model"]["base"],
        lineage=", ".join(f"`{folder}`" for folder in info["model"]["lineage"]) or "nothing",
        train=info["counts"]["train"]["kept"],
        held_out=info["counts"]["held_out"]["kept"],
        steps=info["steps"],
        learning_rate=recipe["training.learning_rate"],
        dtype=info["compute_dtype"],
        seed=info["seed"],
        fingerprint=info["model"]["fingerprint"],
        data=info["data_fingerprint"],
        evaluation=f"| | |\n| --- | --- |\n{rows}" if rows else "No rows were held out.",
        loading=_reward_loading(run, info) if info["stage"] == "reward" else _policy_loading(run, info),
    )


def plain_card(title: str, source: Source, more: str) -> str:
    """The card of a model that is no run of Heedful's, with `more` said of it."""
    loading = _loading(source.pretrained, [str(folder) for folder in source.folded], source.adapter)
    return _PLAIN.format(title=title, more=f"\n{more}" if more else "", loading=loading)


def _policy_loading(run: RunFolder, info: dict[str, Any]) -> str:
    if run.adapter.exists():
        return _loading(info["model"]["base"], info["model"]["lineage"], run.adapter)
    return _loading(str(run.merged), [], None)


def _loading(base: str, folded: Sequence[str], adapter: Path | None) -> str:
    lines = [
        *(["from peft import PeftModel"] if adapter or folded else []),
        "from transformers import AutoModelForCausalLM",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{base}")',
    ]
    for folder in folded:
        lines.append(f'model = PeftModel.from_pretrained(model, "{folder}").merge_and_unload()')
    if adapter:
        lines.append(f'model = PeftModel.from_pretrained(model, "{adapter}")')
    return "\n".join(["```python", *lines, "```", ""])


def _reward_loading(run: RunFolder, info: dict[str, Any]) -> str:
    auto, dtype = "AutoModelForSequenceClassification", f'dtype="{info["compute_dtype"]}"'
    imports = [f"from transformers import {auto}, AutoTokenizer"]
    if run.adapter.exists():
        parts = ": an adapter, which is LoRA with the head `score`, over its base"
        if run.merged.exists():
            parts += f" (or, with no base to load, the folder `{run.merged}`)"
        folders = info["model"]["lineage"]
        imports.insert(0, f"from peft import {'PeftConfig, ' if folders else ''}PeftModel")
        lines = [
            f'base = "{info["model"]["base"]}"',
            f"model = {auto}.from_pretrained(base, num_labels=1, {dtype})",
            "model.config.pad_token_id = None  # what pads may also end a turn, and nothing is padded here",
        ]
        for folder in folders:
            lines += [
                f'below = PeftConfig.from_pretrained("{folder}")',
                "below.task_type = None  # it was trained on a language model",
                f'model = PeftModel.from_pretrained(model, "{folder}", config=below).merge_and_unload()',
            ]
        lines.append("model = PeftModel.from_pretrained(model, folder)")
    else:
        parts, lines = "", [f"model = {auto}.from_pretrained(folder, {dtype})"]
    return _REWARD.format(
        parts=parts,
        imports="\n".join(imports),
        folder=run.adapter if run.adapter.exists() else run.merged,
        model="\n".join(lines),
        record=REWARD_FILE,
        text=_RAW if info["template"] == "raw" else _CHAT,
        # A chat template writes the token that begins a text itself.
        special=info["template"] != "chat",
    )
