"""An answer is taken if it fits the task and the settings, and refused in a plain sentence if not."""

from __future__ import annotations

import pytest

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store.model import Item, Response
from heedful.collect.work.rules import Refused, check
from heedful.records import assistant, user


def item(responses: int = 2) -> Item:
    texts = [Response((assistant(f"response {number}"),)) for number in range(responses)]
    return Item(1, "key", (user("prompt"),), tuple(texts))


PLAIN = Settings()
FOUR, SEVEN = Settings(strength=4), Settings(strength=7)
RANKING, THUMBS = Settings(task="ranking"), Settings(task="thumbs")
RATING = Settings(task="rating", aspects=("helpful", "safe"), points=5)
A, B = Answer(verdict="a"), Answer(verdict="b")
TIE, BAD = Answer(verdict="tie"), Answer(verdict="both_bad")


def strong(verdict: str, strength: int | None) -> Answer:
    return Answer(verdict=verdict, strength=strength)


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        (PLAIN, A),
        (PLAIN, TIE),
        (PLAIN, BAD),
        (FOUR, strong("a", 1)),
        (FOUR, strong("b", 4)),
        (FOUR, TIE),
        (FOUR, BAD),
        (SEVEN, strong("a", 3)),
        (SEVEN, strong("tie", 0)),
        (SEVEN, BAD),
        (THUMBS, Answer(thumbs=(True, False))),
        (RATING, Answer(scores=({"helpful": 1, "safe": 5}, {"helpful": 3, "safe": 3}))),
        (PLAIN, Answer(verdict="skip", reason=PLAIN.skip_reasons[0])),
        (PLAIN, Answer(verdict="skip", rationale="it is in Latin")),
        (RANKING, Answer(verdict="skip", reason=PLAIN.skip_reasons[1], flags=("broken",))),
        (Settings(rationale="off"), Answer(verdict="skip", rationale="it is in Latin")),
        (Settings(rationale="required"), Answer(verdict="skip", reason=PLAIN.skip_reasons[0])),
        (Settings(rationale="required"), Answer(verdict="a", rationale="shorter")),
    ],
)
def test_what_fits_is_taken_as_it_is(settings: Settings, answer: Answer) -> None:
    assert check(answer, item(), settings) == answer


@pytest.mark.parametrize(
    ("settings", "answer", "said"),
    [
        (PLAIN, Answer(), "which response is better"),
        (PLAIN, Answer(ranks=(1, 2)), "No ranks can be given here: the task asks for verdict"),
        (PLAIN, Answer(verdict="a", thumbs=(True, True)), "No thumbs"),
        (Settings(tie=False), TIE, "Ties are not allowed"),
        (Settings(both_bad=False), BAD, "cannot be called bad"),
        (PLAIN, strong("a", 1), "No strength is asked for"),
        (FOUR, A, "from 1 to 4"),
        (FOUR, strong("a", 0), "from 1 to 4"),
        (FOUR, strong("tie", 0), "No strength is asked for"),
        (FOUR, strong("both_bad", 1), "No strength is asked for"),
        (SEVEN, strong("a", 4), "from 1 to 3"),
        (SEVEN, strong("b", 0), "from 1 to 3"),
        (SEVEN, strong("tie", 1), "A tie has no strength"),
        (SEVEN, strong("both_bad", 0), "No strength is asked for"),
        (RANKING, A, "No verdict can be given here"),
        (RANKING, Answer(), "Give every response a rank"),
        (RANKING, Answer(ranks=(1,)), "Give every response a rank"),
        (RANKING, Answer(ranks=(0, 1)), "begin with 1"),
        (RANKING, Answer(ranks=(2, 3)), "begin with 1"),
        (RANKING, Answer(ranks=(1, 3)), "leave no number out"),
        (RATING, Answer(), "Rate every response"),
        (RATING, Answer(scores=({"helpful": 1, "safe": 1},)), "Rate every response"),
        (RATING, Answer(scores=({"helpful": 1, "safe": 1}, {"helpful": 1})), 'by "safe"'),
        (RATING, Answer(scores=({"helpful": 1, "safe": 0}, {"helpful": 1, "safe": 1})), "from 1 to 5"),
        (RATING, Answer(scores=({"helpful": 6, "safe": 1}, {"helpful": 1, "safe": 1})), "from 1 to 5"),
        (RATING, Answer(scores=({"helpful": 1, "safe": 1, "fun": 1},) * 2), 'by "fun"'),
        (THUMBS, Answer(), "every response a thumb"),
        (THUMBS, Answer(thumbs=(True,)), "every response a thumb"),
        (PLAIN, Answer(verdict="a", flags=("silly",)), 'no flag "silly"'),
        (PLAIN, Answer(verdict="a", reason="I cannot judge this"), "a reason is for skipping"),
        (Settings(rationale="off"), Answer(verdict="a", rationale="why"), "No rationale"),
        (Settings(rationale="required"), A, "in a few words why"),
        (Settings(rationale="required"), Answer(verdict="a", rationale=" \n"), "in a few words why"),
        (PLAIN, Answer(verdict="skip"), "Say why you skip"),
        (PLAIN, Answer(verdict="skip", reason="no mood"), "one of the reasons"),
        (FOUR, Answer(verdict="skip", strength=1, rationale="?"), "not judged as well"),
        (RANKING, Answer(verdict="skip", ranks=(1, 2), rationale="?"), "not judged as well"),
    ],
)
def test_what_does_not_fit_is_refused(settings: Settings, answer: Answer, said: str) -> None:
    with pytest.raises(Refused, match=f"(?i){said}"):
        check(answer, item(), settings)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((3, 1, 2), (3, 1, 2)),
        ((1, 1, 3), (1, 1, 2)),
        ((1, 1, 2), (1, 1, 2)),
        ((2, 1, 2), (2, 1, 2)),
        ((1, 1, 1), (1, 1, 1)),
    ],
)
def test_ranks_are_kept_without_gaps_whichever_way_ties_were_counted(given, kept) -> None:
    assert check(Answer(ranks=given), item(3), RANKING).ranks == kept


@pytest.mark.parametrize("ranks", [(1, 1, 2, 2, 4), (1, 1, 3, 4, 4, 5)])
def test_the_two_ways_to_count_ties_are_not_mixed(ranks) -> None:
    with pytest.raises(Refused, match="leave no number out"):
        check(Answer(ranks=ranks), item(len(ranks)), RANKING)


def test_more_than_a_pair_is_not_compared() -> None:
    with pytest.raises(Refused, match="has 3 responses, and only two can be compared"):
        check(A, item(3), PLAIN)


def test_what_can_be_said_in_several_ways_is_kept_in_one() -> None:
    answer = Answer(verdict="a", rationale="  shorter\n", flags=("broken", "unsafe", "broken"))
    kept = check(answer, item(), PLAIN)

    assert (kept.rationale, kept.flags) == ("shorter", ("unsafe", "broken"))
    assert check(TIE, item(), SEVEN).strength == 0
    rated = check(Answer(scores=({"safe": 1, "helpful": 2},) * 2), item(), RATING)
    assert list(rated.scores[0]) == ["helpful", "safe"]
