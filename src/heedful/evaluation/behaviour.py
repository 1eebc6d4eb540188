"""How a model answers, read off its answers alone: does it end, how long is it, does it get to the point.

Takes answers that somebody else has sampled; knows no model, tokenizer or torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from heedful.errors import DataError
from heedful.evaluation.estimates import mean
from heedful.intervals import Interval, bootstrap, wilson
from heedful.records import Messages

# An answer has a preamble when it opens with one of these, after quotes, asterisks and spaces. They are the
# openings that say nothing about the question: applause, willingness, self-introduction, restating the topic,
# hedging. A single word counts only before a pause: "Sure!" is a preamble, "Sure-footed hikers" is none.
_STOP = r"(?=\s*(?:[!,.:;\u2013\u2014-](?:[\s*_\"]|$)|$))"
PREAMBLES: tuple[str, ...] = (
    rf"(?:sure(?: thing)?|certainly|absolutely|of course|definitely|okay|ok|alright|great|well|ah){_STOP}",
    rf"(?:hello|hi|hey)(?: there)?{_STOP}",
    r"(?:sure|certainly|absolutely|of course|okay|ok|hello)[!,.]? (?:i|i'd|i'll|here|let me|let's|there)\b",
    r"(?:what an? |that's an? |that is an? |this is an? |it's an? )?(?:such an? )?(?:\w+ly )?"
    r"(?:great|good|excellent|interesting|important|fantastic|wonderful|fascinating|thoughtful|common|tricky)"
    r" (?:and \w+ )?(?:question|topic|point)\b(?! marks?)",
    r"(?:thank you|thanks)(?: so much| very much)? for (?:asking|sharing|reaching out|bringing|"
    r"(?:your|the|this|that|such an?)(?: \w+)? question)\b",
    r"(?:how|what an?) (?:lovely|exciting|wonderful|nice|great|delightful|frustrating|thoughtful)\b",
    r"i (?:completely |totally |fully |can )?(?:understand|see|hear) (?:how|that|why|your|you)\b",
    r"(?:oh no|oh dear)\b",
    r"i(?:'d| would| am|'m)(?: be)?(?: more than| very| so)? (?:happy|glad|delighted|pleased) "
    r"(?:to|you asked)\b",
    r"i(?:'m| am) (?:so |very |really )?(?:sorry to hear|here to help)\b",
    r"i(?:'m| am) (?:just )?an? (?:ai|artificial intelligence|language model|assistant)\b",
    r"as an? (?:ai|artificial intelligence|(?:large )?language model|assistant)\b",
    r"(?:here is|here's|here are|below (?:is|are)|the following (?:is|are)) (?:\w+ ){0,6}"
    r"(?:answer|response|explanation|tips|steps|ways|suggestions|ideas|things|guide|list|overview)\b",
    r"let(?:'s| us| me) (?:dive|delve|explore|break|take a look|start by|begin|explain|help|think|walk)\b",
    r"when it comes to\b",
    r"when (?:thinking|talking|dealing|considering) (?:about|with)?\b",
    r"there (?:are|can be|may be|is|could be) (?:many|several|a number of|a lot of|lots of|various|numerous|"
    r"a variety of|a few|so many|no (?:simple|single|easy|one-size-fits-all))\b",
    r"(?:well,? )?(?:it|that|this|the answer)(?: really| all)? depends\b",
    r"(?:to answer|in order to answer|to address) (?:your|the|this|that) question\b",
    r"(?:your|the) question (?:is|about|of|touches|raises)\b",
    r"(?:you(?:'re| are)|so,? you(?:'re| are)?) (?:asking|wondering)\b",
    r"in today's (?:[\w-]+ )?(?:world|age|society)\b",
    r"before we (?:begin|start|dive)\b",
    r"it(?:'s| is) (?:important|worth|essential|crucial) to (?:note|remember|understand|consider|mention)\b",
    r"it(?:'s| is) worth (?:noting|mentioning|remembering)\b",
)
_OPENING = re.compile(r"[\s\"'*_#>\u201c\u2018]*(?:" + "|".join(PREAMBLES) + ")", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """One sampled answer.

    Attributes:
        prompt: the conversation up to the answer.
        text: the answer, without the end-of-turn token.
        ended: whether the model ended it by itself; False where the length limit cut it off.
        tokens: its length in tokens.
        ids: every token that the model chose, the one that ended the answer among them; for whoever asks how
            likely it was.
    """

    prompt: Messages
    text: str
    ended: bool
    tokens: int
    ids: tuple[int, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a set of answers has in common. Every interval is (low, high) at 95%.

    Attributes:
        n: answers.
        ended_share: share that the model ended by itself, 0 to 1.
        words: mean length, words.
        words_median: median length, words.
        preamble_share: share that opens with a preamble instead of the answer, 0 to 1.
        ended_interval, preamble_interval: Wilson's.
        words_interval, words_median_interval: bootstrap by prompt.
    """

    n: int
    ended_share: float
    ended_interval: Interval
    words: float
    words_interval: Interval
    words_median: float
    words_median_interval: Interval
    preamble_share: float
    preamble_interval: Interval


def has_preamble(text: str) -> bool:
    """Whether an answer opens with one of `PREAMBLES` instead of answering."""
    return _OPENING.match(text.replace("\u2019", "'")) is not None


def measure(answers: Sequence[Answer], seed: int = 0) -> Behaviour:
    """Summarise the answers of one model.

    Several answers to one prompt are not independent: words are resampled by prompt, and a share's interval
    is that of as many trials as there are prompts, which errs on the wide side.

    Args:
        answers: at least one.
        seed: of the bootstrap.

    Raises:
        DataError: there are no answers.
    """
    if not answers:
        raise DataError("There are no answers to measure.", mend="Sample at least one answer.")
    prompts = [answer.prompt for answer in answers]
    trials = len(set(prompts))
    words = np.array([len(answer.text.split()) for answer in answers], dtype=np.float64)
    ended = float(np.mean([answer.ended for answer in answers]))
    preamble = float(np.mean([has_preamble(answer.text) for answer in answers]))
    return Behaviour(
        n=len(answers),
        ended_share=ended,
        ended_interval=wilson(ended * trials, trials),
        words=float(words.mean()),
        words_interval=mean(words, groups=prompts, seed=seed).interval,
        words_median=float(np.median(words)),
        words_median_interval=bootstrap(words, statistic=np.median, groups=prompts, seed=seed),
        preamble_share=preamble,
        preamble_interval=wilson(preamble * trials, trials),
    )
