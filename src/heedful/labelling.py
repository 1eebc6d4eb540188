"""Preferences from a judge: AI feedback on prompts with candidates, and labels of one's own judged anew.

Puts the floors below together. Every record is used for a preference or left out with a reason, and so is
every pair that was compared; both add up. How far the judge can be believed is measured on the way.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, get_args

from heedful import formats
from heedful.errors import DataError
from heedful.evaluation.duels import TIE, Choice, Duel
from heedful.judges import JudgeSettings, ask_both_orders, build, duel
from heedful.judges.candidates import LEFT_OUT as CANNOT
from heedful.judges.candidates import Answers, Places, answers_of, to_ask, to_keep
from heedful.judges.judge import AsksAgain, Judge, Question, Scorer, Verdict
from heedful.judges.reliability import Reliability, Repeated, ask_again, part_of, reliability
from heedful.prepare.ledger import Ledger, Pairs
from heedful.prepare.pair_settings import Mode, Ties
from heedful.prepare.votes import turned
from heedful.quarantine import Kept, Quarantined
from heedful.records import ANNOTATOR, EVEN, SCORES, Preference, Record
from heedful.training.tracking import Reporter

Inconsistent = Literal["tie", "drop"]

AGAIN = 0.1
CONSISTENT = "both_orders"
"""Metadata: whether both orders came to the same, of a judge that was asked in both."""

LEFT_OUT = CANNOT | {
    "tie": "neither answer is better",
    "inconsistent": "the verdict changed with the order of the answers",
    "small_margin": "the scores differ by too little",
    "not_chosen": "the strategy keeps others of the prompt's pairs",
    "unreadable": "no reply of the judge could be read",
    "declined": "the judge would not judge",
    "rejected": "the judge could not be shown the texts",
    "unreachable": "the judge did not answer",
    "budget": "the budget was spent before",
    "skipped": "everybody skipped the comparison",
}
"""Every reason for which a record or a pair becomes no preference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSettings:
    """How candidates become preferences.

    Attributes:
        pairs: which responses are compared: each two (`all`); neighbours (`adjacent`), by score where answers
            are scored and as they stand where not; or the best with the worst (`best-worst`), for which a
            judge that does not score is asked about all pairs.
        ties: keep them as preferences of probability 0.5, or leave them out.
        inconsistent: a verdict that changes with the order is a tie, or is left out.
        min_margin: leave out pairs whose scores differ by less.
        again: the part of the pairs that is asked about a second time, to see whether the judge agrees with
            itself.
        seed: of the draw of that part.
    """

    pairs: Mode = "all"
    ties: Ties = "keep"
    inconsistent: Inconsistent = "tie"
    min_margin: float = 0.0
    again: float = AGAIN
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("pairs", Mode), ("ties", Ties), ("inconsistent", Inconsistent)):
            if getattr(self, name) not in get_args(kind):
                allowed = ", ".join(get_args(kind))
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")
        if not self.min_margin >= 0:
            raise ValueError(f"min_margin must not be negative, and is {self.min_margin:g}")
        if not 0 <= self.again <= 1:
            raise ValueError(f"again must be between 0 and 1, and is {self.again:g}")


class Labelled(Pairs):
    """Preferences by a judge. `counts` is of records, as of `Pairs`; `compared` is of pairs.

    Attributes:
        judge: what it is called.
        compared: pairs that the judge was asked about, or that could not be shown to it.
        left_out: how many of them became no preference, by reason; `compared == len(self) + sum(left_out)`.
        reliability: how far the judge can be believed; None where it compared nothing.
        account: what asking took, of a judge that counts it.
    """

    def __init__(
        self,
        made: Pairs,
        *,
        judge: str,
        left_out: Counter[str],
        reliability: Reliability | None,
        account: object | None,
    ) -> None:
        super().__init__(list(made), made.quarantined, used=made.counts.kept)
        self.judge, self.left_out, self.reliability, self.account = judge, left_out, reliability, account

    @property
    def compared(self) -> int:
        return len(self) + sum(self.left_out.values())

    def lines(self) -> list[str]:
        """What is to be said of it, beside the counts of records."""
        ties = sum(preference.tie for preference in self)
        text = f"{self.judge}: {self.compared} pairs, {len(self)} preferences made of them, {ties} ties"
        if self.left_out:
            reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(self.left_out.items()))
            text += f"; {sum(self.left_out.values())} left out ({reasons})"
        found = [text]
        if (known := self.reliability) is not None:
            if known.flips is not None:
                found.append(f"verdicts that change with the order of the answers: {known.flips}")
            if (first := known.first_share) is not None:
                found.append(
                    f"verdicts for whichever answer comes first: {first.value:.1%} "
                    f"({first.low:.1%} to {first.high:.1%})"
                )
            if known.again is not None:
                found.append(f"asked again, it says the same: {known.again}")
            if known.labels is not None:
                found.append(f"it says the same as the labels of the data: {known.labels}")
        if self.account is not None:
            found.append(str(self.account))
        return found


def label(
    data: Iterable[Record] | str | os.PathLike[str],
    judge: Judge | JudgeSettings | str,
    *,
    quiet: bool = False,
    **settings: Any,
) -> Labelled:
    """Have a judge compare candidates, and make preferences of what it says.

        made = heedful.label("candidates.jsonl", "runs/reward", min_margin=0.5)
        made = heedful.label("candidates.jsonl", "https://host/v1#model", pairs="adjacent")
        print(made.counts, made.reliability.flips)

    Candidates, rankings and preferences are compared; the labels that the latter two bring decide nothing and
    are set beside the judge's. What it was asked before comes from its cache.

    Args:
        data: a file's path, or records; what a `Kept` left out is counted here too.
        judge: one that is there, settings, or a name: see `JudgeSettings.named`.
        quiet: show no progress.
        settings: the attributes of `LabelSettings`.

    Raises:
        DataError: the file cannot be read, or `min_margin` is asked of a judge that does not score.
        JudgeError: the judge cannot be had or asked. What it answered until then is kept.
    """
    records = formats.read(data) if isinstance(data, str | os.PathLike) else data
    if isinstance(judge, str):
        judge = JudgeSettings.named(judge)
    if isinstance(judge, JudgeSettings):
        judge = build(judge)
    return label_records(records, judge, LabelSettings(**settings), Reporter(quiet=quiet))


def label_records(
    records: Iterable[Record], judge: Judge, settings: LabelSettings, reporter: Reporter
) -> Labelled:
    """As `label`, with all in hand."""
    scored = isinstance(judge, Scorer)
    if settings.min_margin and not scored:
        what = "is about scores, and this judge gives none."
        raise DataError(what, where="min_margin", mend="Leave it out, or name a reward as the judge.")
    before: Sequence[Quarantined] = records.quarantined if isinstance(records, Kept) else ()
    ledger = Ledger(list(records))
    asked = [
        Asked(place, answers, pair)
        for place, answers in _comparable(ledger)
        for pair in to_ask(answers, settings.pairs, scored=scored)
    ]
    questions = [one.question for one in asked]
    verdicts = _ask(judge, questions, reporter)
    compared = [
        Compared(one, duel(one.question, *said), said) for one, said in zip(asked, verdicts, strict=True)
    ]
    left_out = _make(ledger, compared, judge, settings)
    return Labelled(
        ledger.close(before),
        judge=judge.name,
        left_out=left_out,
        reliability=_reliability(judge, compared, settings, reporter) if compared else None,
        account=getattr(judge, "account", None),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Two responses of the record at a place that a judge is asked about."""

    place: int
    answers: Answers
    pair: Places

    @property
    def question(self) -> Question:
        first, second = (self.answers.texts[place] for place in self.pair)
        return Question(self.answers.prompt, first, second)


@dataclass(frozen=True, slots=True)
class Compared:
    """What was asked, and what came of it: in both orders together, and verdict by verdict."""

    asked: Asked
    duel: Duel
    said: tuple[Verdict, Verdict]


def _comparable(ledger: Ledger) -> Iterator[tuple[int, Answers]]:
    """The records with something to compare, by their places; the others are left out."""
    for place, record in enumerate(ledger.records):
        answers = answers_of(record)
        if isinstance(answers, str):
            ledger.leave([place], answers, LEFT_OUT[answers])
        else:
            yield place, answers


def _ask(judge: Judge, questions: Sequence[Question], reporter: Reporter) -> list[tuple[Verdict, Verdict]]:
    if not questions:
        return []
    orders = 1 if judge.symmetric else 2
    with reporter.task(f"{judge.name}: comparing {len(questions)} pairs", orders * len(questions)) as task:
        return ask_both_orders(judge, questions, task.update)


def _make(
    ledger: Ledger, compared: Sequence[Compared], judge: Judge, settings: LabelSettings
) -> Counter[str]:
    """Make preferences of what was compared; how many pairs became none, by reason."""
    left_out: Counter[str] = Counter()
    for place, rows in groupby(compared, key=lambda one: one.asked.place):
        of_record = {one.asked.pair: one for one in rows}
        duels = {pair: one.duel for pair, one in of_record.items()}
        kept = to_keep(duels, settings.pairs, scored=isinstance(judge, Scorer))
        for pair in kept:
            reason = _reason(of_record[pair], settings)
            if reason:
                left_out[reason] += 1
                why = "" if duels[pair].decided else duels[pair].why
                ledger.leave([place], reason, why or LEFT_OUT.get(reason, reason))
            else:
                ledger.make(_preference(of_record[pair], judge), [place])
        others = len(of_record) - len(kept)
        if others:
            left_out["not_chosen"] += others
            ledger.leave([place], "not_chosen", LEFT_OUT["not_chosen"])
    return left_out


def _reason(one: Compared, settings: LabelSettings) -> str:
    """Why a pair becomes no preference; "" where it does."""
    duel = one.duel
    if not duel.decided:
        return next(said.undecided for said in one.said if said.choice is None) or "unreadable"
    if not duel.consistent and settings.inconsistent == "drop":
        return "inconsistent"
    if settings.min_margin and abs(duel.margin or 0.0) < settings.min_margin:
        return "small_margin"
    return "tie" if duel.outcome == TIE and settings.ties == "drop" else ""


def _preference(one: Compared, judge: Judge) -> Preference:
    """The preference of a decided pair; of a tie the first response is chosen in name."""
    answers, pair, duel = one.asked.answers, one.asked.pair, one.duel
    tie, straight = duel.outcome == TIE, duel.outcome >= TIE
    metadata = answers.known(pair) if straight else turned(answers.known(pair))
    better, worse = pair if straight else pair[::-1]
    metadata[ANNOTATOR] = judge.name
    if not judge.symmetric:
        metadata[CONSISTENT] = duel.consistent
    if duel.why:
        metadata["rationale"] = duel.why
    if isinstance(judge, Scorer):
        scores = (judge.score_of(answers.prompt, answers.texts[place]) for place in (better, worse))
        metadata |= zip(SCORES, scores, strict=True)
    return Preference(
        answers.record.prompt,
        answers.responses[better],
        answers.responses[worse],
        margin=None if duel.margin is None else 0.0 if tie else abs(duel.margin),
        probability=EVEN if tie else None,
        id=answers.name(pair),
        source=answers.record.source,
        metadata=metadata,
    )


def _reliability(
    judge: Judge, compared: Sequence[Compared], settings: LabelSettings, reporter: Reporter
) -> Reliability:
    repeated: list[Repeated] = []
    if settings.again and isinstance(judge, AsksAgain):
        with reporter.task(f"{judge.name}: asking again", part_of(len(compared), settings.again)) as task:
            repeated = ask_again(
                judge,
                [one.asked.question for one in compared],
                [one.said[0] for one in compared],
                part=settings.again,
                seed=settings.seed,
                on_done=task.update,
            )
    labels: list[Choice | None] = [one.asked.answers.label(one.asked.pair) for one in compared]
    return reliability(
        [one.duel for one in compared],
        symmetric=judge.symmetric,
        repeated=repeated,
        labels=labels if any(labels) else (),
    )
