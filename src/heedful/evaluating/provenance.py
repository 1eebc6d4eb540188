"""What an evaluation was made from, and with: fingerprints, counts, versions, machine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heedful import judging, machine
from heedful.evaluating.cast import Cast
from heedful.evaluating.held_out import Data, prompts_of
from heedful.evaluating.look import Looked, Settings
from heedful.evaluation.reward_quality import RewardQuality
from heedful.models import fingerprints
from heedful.models.catalog import resolve
from heedful.quarantine import Kept
from heedful.report.evaluation_json import Evaluated
from heedful.report.made import Made
from heedful.training.run_folder import versions

_IN_MEMORY = "records in memory"


def made_from(
    who: Cast,
    looked: Looked,
    settings: Settings,
    *,
    held: tuple[Data, Kept[Any]],
    shown: tuple[Data | None, Kept[Any]],
) -> Evaluated:
    """The provenance of a policy's evaluation.

    Args:
        held: the data, and what was kept of them; `shown` the same of demonstrations that came beside them.
    """
    parts = {id(who.model): "model"} | {id(one): "baseline" for one in who.baselines}
    data, records = held
    told, demonstrations = shown
    asked, sampling = prompts_of(records, settings.prompts), settings.sampling
    return Evaluated(
        kind="policy",
        models=[
            {"name": one.name, "part": parts.get(id(one), "reference"), "fingerprint": one.fingerprint}
            for one in who.order
        ],
        data={
            "held_out": described(data, records),
            "demonstrations": None if told is None else described(told, demonstrations),
        },
        prompts={
            "held_out": len({record.prompt for record in records}),
            "asked": len(asked),
            "unanswered": {
                name: dict(Counter(left.reason for left in own.unanswered))
                for name, own in looked.stages.items()
            },
        },
        sampling=asdict(sampling),
        seed=sampling.seed,
        **here(),
    )


def made_from_reward(model: str, data: Data, records: Kept[Any], quality: RewardQuality) -> Evaluated:
    """The provenance of a reward model's evaluation."""
    return Evaluated(
        kind="reward",
        models=[{"name": model, "part": "model", "fingerprint": fingerprints.of_source(resolve(model))}],
        data={"held_out": described(data, records), "demonstrations": None},
        numbers=judging.main_numbers(quality),
        **here(),
    )


def facts(made: Evaluated) -> dict[str, str]:
    """What a page says of it."""
    how = f"{sampled(made)}, seed {made.seed}"
    return page_facts(made, made.data["held_out"], {"Answers": how})


def page_facts(made: Made, held: Mapping[str, Any], answers: Mapping[str, str]) -> dict[str, str]:
    """What a page says of the provenance of its numbers.

    Args:
        held: of `made.data`, what the prompts are of.
        answers: how they were answered.
    """
    prompts = made.prompts
    return {
        "Data": f"{held['name']}: {held['kept']:,} of {held['read']:,} rows",
        "Prompts": f"{prompts['asked']:,} of {prompts['held_out']:,}, the first of the data",
        **answers,
        "Machine": made.machine,
        "Versions": ", ".join(f"{name} {number}" for name, number in made.versions.items()),
    }


def sampled(made: Made, temperature: float | None = None) -> str:
    """How answers were sampled, in words.

    Args:
        temperature: another one than was asked for.
    """
    sampling = made.sampling
    found = sampling["temperature"] if temperature is None else temperature
    how = f"temperature {found:g}" if found else "the likeliest token each time"
    times = f", {sampling['samples']} to a prompt" if sampling["samples"] > 1 else ""
    return f"{how}{times}, at most {sampling['max_new_tokens']} tokens"


def described(data: Data, records: Kept[Any]) -> dict[str, Any]:
    counts = records.counts
    path = Path(data).expanduser() if isinstance(data, str | os.PathLike) else None
    is_file = path is not None and path.is_file()
    return {
        "name": _IN_MEMORY if path is None else str(data),
        "fingerprint": fingerprints.of_file(path)
        if path is not None and is_file
        else fingerprints.combined(map(repr, records)),
        "read": counts.read,
        "kept": counts.kept,
        "quarantined": counts.quarantined,
    }


def here() -> dict[str, Any]:
    return {
        "versions": versions(),
        "machine": machine.describe(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
