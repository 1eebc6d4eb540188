"""From a model and files to advice, and from advice to a recipe on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from heedful import formats
from heedful.advice.facts import Facts, RewardFacts, RoadName
from heedful.advice.readiness import Readiness, readiness
from heedful.advice.recipe_text import Inputs, RecipeText, recipes, shows_chosen
from heedful.advice.rule import ONE_ANSWER
from heedful.advice.rules import Recommendation, decide
from heedful.advice.tally import Gathered, gather
from heedful.advising import trust
from heedful.advising.asking import QUICK, USUAL, Effort, ask
from heedful.advising.costs import costs
from heedful.checking_models import MAX_LENGTH, ModelView
from heedful.errors import DataError
from heedful.models.backbone import Backbone
from heedful.models.folders import write_text
from heedful.models.rewards import Reward, standalone
from heedful.quarantine import Quarantined
from heedful.recipe import RewardSource
from heedful.records import Demonstration, Judgement, Prompt, Record
from heedful.training.tracking import Reporter

Files = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Advice:
    """What was measured, and what follows from it.

    Attributes:
        looked_at: what of the data was looked at, in sentences.
        inputs: what was asked about.
        chosen: the responses that SFT would imitate where there are no demonstrations; else none.
    """

    facts: Facts
    recommendation: Recommendation
    looked_at: tuple[str, ...]
    inputs: Inputs
    chosen: tuple[Demonstration, ...] = ()

    def recipes(self, path: str | os.PathLike[str] = "recipe.yaml") -> list[tuple[Path, RecipeText]]:
        """The recipes with the files that `save(path)` would write them to, in the order of the runs."""
        path = Path(path)
        shown = str(_beside(path, "-demonstrations", ".jsonl")) if self.chosen else None
        found = recipes(self.recommendation, self.facts, replace(self.inputs, shown=shown))
        return [(_beside(path, one.suffix, path.suffix), one) for one in found]

    def save(self, path: str | os.PathLike[str] = "recipe.yaml") -> list[Path]:
        """Write the recipes, and the demonstrations that they need; returns the recipes' files, none where
        something has to be done before training.

        Raises:
            DataError: a file cannot be written.
        """
        path = Path(path)
        if self.chosen:
            formats.write(self.chosen, _beside(path, "-demonstrations", ".jsonl"))
        written = []
        for own, recipe in self.recipes(path):
            try:
                own.parent.mkdir(parents=True, exist_ok=True)
                write_text(own, recipe.text)
            except OSError as error:
                raise DataError(f"cannot be written: {error.strerror or error}.", where=str(own)) from error
            written.append(own)
        return written


def _beside(path: Path, ending: str, suffix: str) -> Path:
    return path.with_name(f"{path.stem}{ending}{suffix}")


def advise(
    model: Backbone | str,
    data: Files,
    *,
    reward: str | None = None,
    prompts: Files = (),
    reading: Mapping[str, Any] | None = None,
    quick: bool = False,
    output: str = "runs/pipeline",
    max_length: int = MAX_LENGTH,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Advice:
    """Which road fits: SFT, DPO, a reward model and PPO, or several in turn.

        found = advise("smollm2-135m", "pairs.jsonl")
        print(found.recommendation.title)
        found.save("recipe.yaml")

    Args:
        model: a loaded backbone, asked without its adapters, or whatever `heedful.load` takes.
        data: one file or several, of records of any kind.
        reward: what could score answers: a model, FILE.py:FUNCTION or a URL.
        prompts: files of prompts that nobody has answered.
        reading: how the files of data are read: keyword arguments of `heedful.read`.
        quick: look at a third as much, and not at the labels.
        output: where the recipe's runs would go.
        max_length: of a prompt with one response, in tokens, of what is looked at.
        seed: of what is sampled.

    Raises:
        DataError: a file cannot be read, or there is no record, or no prompt that the model can be asked.
        ModelError: the model cannot be loaded.
        RewardError: the reward cannot be had or called.
    """
    said = reporter or Reporter()
    files, more = _named(data), _named(prompts)
    inputs = Inputs(_name(model), files, more, dict(reading or {}), reward, output=output)
    gathered, kinds = _gathered(inputs, said, seed)
    inputs = replace(inputs, kinds=kinds)
    scored_by = None if reward is None else standalone(RewardSource.named(reward))
    view = ModelView(model, reporter=said, max_length=max_length, seed=seed)
    effort = QUICK if quick else USUAL
    facts, looked_at = _measured(gathered, view, scored_by, effort, said, seed)
    roads = _roads(gathered, facts.reward)
    found, recompute = costs(
        view.backbone, facts, gathered, roads, inputs, seconds=effort.seconds, reporter=said, seed=seed
    )
    facts = replace(facts, costs=found, recompute=recompute)
    recommendation = decide(facts)
    chosen = _chosen(gathered) if shows_chosen(recommendation, facts) else ()
    return Advice(facts, recommendation, looked_at, inputs, chosen)


def _gathered(inputs: Inputs, reporter: Reporter, seed: int) -> tuple[Gathered, dict[str, frozenset[str]]]:
    """The data in hand, and which kinds of records each file holds."""
    opened = [formats.stream(path, **inputs.reading) for path in inputs.files]
    alone = [formats.stream(path) for path in inputs.prompts]
    with reporter.task(f"Reading {', '.join([*inputs.files, *inputs.prompts])}", None) as task:
        rows: list[Record | Quarantined] = []
        kinds: dict[str, frozenset[str]] = {}
        for path, stream in zip(inputs.files, opened, strict=True):
            begin = len(rows)
            for row in stream:
                rows.append(row)
                task.update(len(rows))
            kinds[path] = frozenset(type(row).__name__.lower() for row in rows[begin:])
        rows += map(_prompt, chain.from_iterable(alone))
    reporter.say("Counting records, and looking for faults")
    return gather(rows, seed=seed), kinds


def _prompt(row: Record | Quarantined) -> Record | Quarantined:
    """Of a file of prompts everything else is left aside."""
    if isinstance(row, Quarantined):
        return row
    if isinstance(row, Judgement):
        detail = "a judgement has no prompt of its own"
        return Quarantined(row.item, "other_kind", detail, row)
    return Prompt(row.prompt, id=row.id, source=row.source, metadata=row.metadata)


def _measured(
    data: Gathered, view: ModelView, scored_by: Reward | None, effort: Effort, reporter: Reporter, seed: int
) -> tuple[Facts, tuple[str, ...]]:
    one = data.task is not None and data.task.exact.value >= ONE_ANSWER
    asked = ask(
        view,
        data.good,
        data.pairs,
        data.prompts,
        effort=effort,
        reporter=reporter,
        seed=seed,
        one_answer=one,
    )
    tokens = asked.lengths.pair if asked.lengths is not None else 0.0
    trusted = trust.labels(view, data.pairs, most=effort.label_pairs, tokens_each=tokens, seed=seed)
    scored, looked_at = None, [*asked.looked_at, trusted.looked_at]
    if scored_by is not None:
        scored = trust.reward(
            scored_by,
            view,
            data.pairs,
            data.prompts,
            count=effort.scored,
            limit=asked.facts.limit,
            reporter=reporter,
            seed=seed,
        )
        looked_at.append(f"{scored_by.name}: {trust.described(scored)}")
    return Facts(data.facts, asked.facts, data.task, trusted.facts, scored, lengths=asked.lengths), tuple(
        looked_at
    )


def _roads(data: Gathered, reward: RewardFacts | None) -> list[RoadName]:
    """Those that the data allow at all, whether or not there is enough of them."""
    facts = data.facts
    allowed: dict[RoadName, bool] = {
        "sft": facts.demonstrations > 0 or facts.pairs > 0,
        "dpo": facts.pairs > 0,
        "ppo": facts.pairs > 0 or facts.unpaired > 0 or reward is not None,
    }
    found = [road for road, here in allowed.items() if here]
    return [*found, "dpo+ppo"] if "dpo" in found else found


def _chosen(data: Gathered) -> tuple[Demonstration, ...]:
    pairs = {(pair.prompt, pair.chosen): pair for pair in data.pairs}.values()
    return tuple(
        Demonstration(pair.prompt, pair.chosen, weight=pair.weight, id=pair.id, source=pair.source)
        for pair in pairs
    )


def _named(files: Files) -> tuple[str, ...]:
    if isinstance(files, str | os.PathLike):
        return (os.fspath(files),)
    return tuple(os.fspath(file) for file in files)


def _name(model: Backbone | str) -> str:
    return model.name if isinstance(model, Backbone) else model


def check_readiness(
    model: Backbone | str,
    records: Iterable[Record | Quarantined],
    *,
    reporter: Reporter | None = None,
    max_length: int = MAX_LENGTH,
    seed: int = 0,
    quick: bool = False,
    temperature: float = 1.0,
) -> Readiness:
    """Whether a model can do the task of these records yet: some prompts are answered, some responses scored.

    Args:
        model: a loaded backbone, asked without its adapters, or whatever `heedful.load` takes.
        records: of any kind: pairs, demonstrations, prompts alone.
        max_length: of a prompt with one response, in tokens.
        seed: of the sample that is looked at, and of the answers.
        quick: look at a third as much.
        temperature: of the answers whose end, form and repetitions are looked at.

    Raises:
        DataError: there is no record, or no prompt that the model can be asked.
        ModelError: the model cannot be loaded.
    """
    said = reporter or Reporter()
    data = gather(records, seed=seed)
    view = ModelView(model, reporter=said, max_length=max_length, seed=seed)
    effort = QUICK if quick else USUAL
    found = ask(
        view,
        data.good,
        data.pairs,
        data.prompts,
        effort=effort,
        reporter=said,
        seed=seed,
        temperature=temperature,
    )
    return readiness(found.facts)
