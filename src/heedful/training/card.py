"""The model card of a run: lineage, numbers and how to load it, from what the run folder says of itself."""

from __future__ import annotations

from typing import Any

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

## Loading it

```python
{loading}
```
"""


def write_card(run: RunFolder) -> None:
    """Write `model_card.md` from `run.json`."""
    info = run.info()
    recipe: dict[str, Any] = info["recipe"]
    objective = (
        f" ({recipe['objective.name']}, β = {recipe['objective.beta']})" if "objective.name" in recipe else ""
    )
    numbers = info.get("evaluation") or {}
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in numbers.items())
    text = _TEMPLATE.format(
        title=run.path.name,
        version=info["versions"]["heedful"],
        stage=info["stage"].upper(),
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
        loading=_loading(run, info),
    )
    (run.path / "model_card.md").write_text(text, encoding="utf-8")


def _loading(run: RunFolder, info: dict[str, Any]) -> str:
    if not run.adapter.exists():
        return (
            "from transformers import AutoModelForCausalLM\n\n"
            f'model = AutoModelForCausalLM.from_pretrained("{run.merged}")'
        )
    lines = [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        f'model = AutoModelForCausalLM.from_pretrained("{info["model"]["base"]}")',
    ]
    for folder in info["model"]["lineage"]:
        lines.append(f'model = PeftModel.from_pretrained(model, "{folder}").merge_and_unload()')
    lines.append(f'model = PeftModel.from_pretrained(model, "{run.adapter}")')
    return "\n".join(lines)
