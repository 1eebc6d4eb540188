"""What a comparison was made from, and with: fingerprints, counts, versions, machine."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from heedful.comparing.asking import Asked
from heedful.comparing.entrants import Entrants
from heedful.evaluating.held_out import Data, prompts_of
from heedful.evaluating.provenance import described, here, page_facts, sampled
from heedful.evaluation.generation import Sampling
from heedful.quarantine import Kept
from heedful.report.made import Made


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


def facts(made: Made) -> dict[str, str]:
    """What a page says of it."""
    answers = {
        "Answers that judges compare": sampled(made),
        "Samples for reward and KL": sampled(made, temperature=1),
        "Seed": str(made.seed),
    }
    return page_facts(made, made.data, answers)
