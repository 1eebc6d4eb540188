"""Preference pairs: the SFT model answers prompts several times, and the gold reward says which is better."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.sentiment import task
from benchmarks.sentiment.study import Study
from heedful.quarantine import Kept, Quarantined
from heedful.records import Preference, assistant, user

SEED = 17
# One prompt in so many is held out, with all its pairs.
_HELD_OUT = 8


def files(study: Study) -> tuple[Path, Path]:
    """The pairs to learn from, and those to judge by."""
    return study.work / "pairs" / "train.jsonl", study.work / "pairs" / "held-out.jsonl"


def counts_file(study: Study) -> Path:
    """Written last: what was sampled, kept, and left out by reason."""
    return study.work / "pairs" / "counts.json"


def make(study: Study) -> None:
    """Sample the SFT model's responses to each prompt, label them, write both files and their counts."""
    study.once("pairs", counts_file(study).exists, lambda: _make(study), wait=True)


def _make(study: Study) -> None:
    import heedful
    from heedful.models.sampler import answer
    from heedful.render.chat import Renderer

    backbone = heedful.load(study.base)
    renderer = Renderer(backbone.tokenizer, task.COMMON["template"])
    prompts, samples = [task.first_words(text) for text in study.parts().prompts], task.SAMPLES
    found = answer(
        backbone,
        renderer,
        [(user(prompt),) for prompt in prompts],
        max_new_tokens=task.NEW_TOKENS,
        seed=SEED,
        samples=samples,
        batch_size=64,
    )
    texts = [text for text, _ in found]
    scores = task.gold([prompt for prompt in prompts for _ in range(samples)], texts)
    grouped = [slice(at * samples, (at + 1) * samples) for at in range(len(prompts))]
    kept = label(prompts, [texts[own] for own in grouped], [scores[own] for own in grouped])
    train, held_out = split(kept, len(prompts))
    for pairs, file in zip((train, held_out), files(study), strict=True):
        heedful.write(pairs, file)
    counts = {
        "responses": len(found),
        "ended": sum(sample.ended for _, sample in found),
        "pairs": kept.counts.read,
        "left_out": kept.counts.quarantined,
        "train": len(train),
        "held_out": len(held_out),
    }
    counts_file(study).write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


def label(
    prompts: Sequence[str], responses: Sequence[Sequence[str]], scores: Sequence[Sequence[float]]
) -> Kept[Preference]:
    """Pair each prompt's responses, first with second, third with fourth; the higher score is chosen.

    Left out are ties, and pairs with an empty response, which no file of pairs can hold.
    """
    kept: list[Preference] = []
    left_out: list[Quarantined] = []
    for number, (prompt, texts, golds) in enumerate(zip(prompts, responses, scores, strict=True)):
        for first, second in _neighbours(len(texts)):
            name = f"{prompt_id(number)}-{first // 2}"
            better, worse = (first, second) if golds[first] >= golds[second] else (second, first)
            if not (texts[better].strip() and texts[worse].strip()):
                left_out.append(Quarantined(name, "empty_response", "a response is empty", None))
            elif golds[better] == golds[worse]:
                left_out.append(Quarantined(name, "tie", f"both score {golds[better]:g}", None))
            else:
                sides = (assistant(texts[better]),), (assistant(texts[worse]),)
                kept.append(Preference((user(prompt),), *sides, id=name))
    return Kept(kept, left_out)


def split(pairs: Sequence[Preference], prompts: int) -> tuple[list[Preference], list[Preference]]:
    """The pairs of all prompts but the last few, and those of these."""
    held_out = {prompt_id(number) for number in range(prompts - prompts // _HELD_OUT, prompts)}
    sides: tuple[list[Preference], list[Preference]] = [], []
    for pair in pairs:
        sides[pair.id.rpartition("-")[0] in held_out].append(pair)
    return sides


def prompt_id(number: int) -> str:
    return f"prompt-{number}"


def _neighbours(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count - 1, 2):
        yield first, first + 1
