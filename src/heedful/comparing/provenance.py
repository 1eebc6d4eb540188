"""What a comparison was made from, and with: fingerprints, counts, versions, machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from heedful.comparing.asking import Asked
from heedful.comparing.entrants import Entrants
from heedful.evaluating.held_out import Data, prompts_of
from heedful.evaluating.provenance import described, here
from heedful.evaluation.generation import Sampling
from heedful.judges.account import Account
from heedful.quarantine import Kept
from heedful.report.compare_json import Made


def made_from(
    who: Entrants, asked: Asked, sampling: Sampling, data: Data, records: Kept[Any], prompts: int
) -> Made:
    """The provenance of a comparison; `prompts` is how many were wanted."""
    parts = [("model", one.subject) for one in who.models]
    parts += [("checkpoint", one.subject) for one in who.checkpoints]
    if who.reference is not None and who.reference not in [subject for _, subject in parts]:
        parts.append(("reference", who.reference))
    return Made(
        models=[{"name": one.name, "part": part, "fingerprint": one.fingerprint} for part, one in parts],
        data=described(data, records),
        prompts={
            "held_out": len({record.prompt for record in records}),
            "asked": len(prompts_of(records, prompts)),
            "unanswered": {
                name: dict(Counter(left.reason for left in own)) for name, own in asked.unanswered.items()
            },
        },
        sampling=asdict(sampling),
        seed=sampling.seed,
        **here(),
    )


def facts(made: Made, accounts: Mapping[str, Account]) -> dict[str, str]:
    """What a page says of it."""
    held, prompts, sampling = made.data, made.prompts, made.sampling
    greedy = sampling["temperature"] == 0
    how = "the likeliest token each time" if greedy else f"temperature {sampling['temperature']:g}"
    times = f", {sampling['samples']} to a prompt" if sampling["samples"] > 1 else ""
    return {
        "Data": f"{held['name']}: {held['kept']:,} of {held['read']:,} rows",
        "Prompts": f"{prompts['asked']:,} of {prompts['held_out']:,}, the first of the data",
        "Answers that judges compare": f"{how}{times}, at most {sampling['max_new_tokens']} tokens",
        "Samples for reward and KL": f"temperature 1{times}, at most {sampling['max_new_tokens']} tokens",
        "Seed": str(made.seed),
        **{f"Judge {name}": str(account) for name, account in accounts.items()},
        "Machine": made.machine,
        "Versions": ", ".join(f"{name} {number}" for name, number in made.versions.items()),
    }
