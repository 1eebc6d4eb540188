"""All that was compared, as examples for a page: two answers to each prompt, and every judge's verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from heedful.evaluating.examined import Examined
from heedful.evaluating.held_out import Held, preferred
from heedful.evaluating.judged import paired
from heedful.evaluation.duels import Duel
from heedful.records import Messages
from heedful.report.data import Comparison, Example

_Texts = tuple[Messages, str, str]


def examples(
    model: str, stages: Mapping[str, Examined], comparisons: Sequence[Comparison], records: Held
) -> list[Example]:
    """The model's answers beside each baseline's, in the order of the prompts, a baseline after the other."""
    better = {record.prompt: preferred(record) for record in records}
    found: list[Example] = []
    for baseline in stages:
        if baseline == model:
            continue
        duels: dict[str, dict[_Texts, Duel]] = {
            one.judge: {(duel.prompt, duel.answer, duel.baseline): duel for duel in one.duels}
            for one in comparisons
            if (one.model, one.baseline) == (model, baseline)
        }
        for own, other in paired(stages[model].answers, stages[baseline].answers):
            texts = (own.prompt, own.text, other.text)
            said = {judge: by_text[texts] for judge, by_text in duels.items() if texts in by_text}
            found.append(Example(model, baseline, own, other, said, better.get(own.prompt)))
    return found
