"""The page of an evaluation: verdict first, colour only where an interval decides, all examples, no harm."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from heedful.report import ReportData, SideBySide, render, write
from heedful.report.cards import MOST_LETTERS
from heedful.report.data import Waiting
from tests.report.evaluated import BASELINE, CHAT, MODEL, comparison, duel, example, report
from tests.report.test_html import HOSTILE, Page, words


@pytest.fixture(scope="module")
def data() -> ReportData:
    return report(24)


@pytest.fixture(scope="module")
def html(data: ReportData) -> str:
    return render(data)


def small(**changes: object) -> ReportData:
    found = ReportData("t", stages=[BASELINE, MODEL], subject=MODEL)
    return replace(found, **changes)  # type: ignore[arg-type]


def won(wins: int, losses: int) -> ReportData:
    """The model wins so many and loses so many, each on a prompt of its own."""
    asked = [example(prompt=f"p{number}").own.prompt for number in range(wins + losses)]
    duels = [duel(prompt, "a", "b") for prompt in asked[:wins]]
    duels += [duel(prompt, "a", "b", "second", "first") for prompt in asked[wins:]]
    return small(comparisons=[comparison(duels)])


def test_the_page_goes_from_the_verdict_to_the_method(html: str) -> None:
    order = ["comparisons", "scores", "accuracy", "drift", "behaviour", "diversity", "curves", "examples"]
    order += ["notes", "facts", "judges", "quarantine", "method"]
    assert re.findall(r'<section id="([a-z]+)"', html) == order
    assert html.index('class="said') < html.index("<section")


@pytest.mark.parametrize(
    ("wins", "losses", "tone", "head"),
    [
        (18, 2, "good", f"{MODEL} answers better than {BASELINE}:"),
        (2, 18, "bad", f"{MODEL} answers worse than {BASELINE}:"),
        (12, 8, "unclear", f"No difference between {MODEL} and {BASELINE} is established:"),
    ],
)
def test_a_verdict_has_a_colour_only_where_the_interval_decides(
    wins: int, losses: int, tone: str, head: str
) -> None:
    page = render(won(wins, losses))
    assert f'<p class="said {tone}"><b>{head}</b>' in page
    assert page.count(f'class="axis toned {tone}"') == 1


def test_a_win_rate_is_drawn_around_half_with_its_interval() -> None:
    page = render(won(12, 8))
    assert (
        '<s style="left:50%"></s><i style="left:38.66%;width:39.46%"></i><u style="left:60.00%"></u>' in page
    )
    text = words(page)
    assert (
        "as they are 60% 95% 39\u201378%, n = 20 comparisons no difference is established +10 points" in text
    )
    assert "wins 12 losses 8" in text
    assert "All pairs differ by the same length, so there is nothing to control for." in text


def test_parts_and_leanings_are_told() -> None:
    asked = [example(prompt=f"p{number}").own.prompt for number in range(12)]
    duels = [duel(prompt, "a", "b", "first", "first") for prompt in asked[:9]]
    duels += [
        duel(asked[9], "a", "b", "tie", "tie"),
        duel(asked[10], "a", "b"),
        duel(asked[11], "a", "b", None),
    ]
    text = words(render(small(comparisons=[comparison(duels)])))
    assert "wins 1 ties 1 changes its mind with the order 9" in text
    assert "were for the one shown first: it leans towards what it is shown first." in text
    assert "One comparison has no verdict in both orders and is left out of the above." in text


def test_what_is_waited_for_stands_among_the_verdicts() -> None:
    page = render(small(waiting=[Waiting("people", BASELINE, "Nobody has voted.")]))
    assert f"<b>No verdict yet by people, against {BASELINE}:</b> Nobody has voted." in page
    assert '<section id="comparisons"' not in page


def test_a_judge_without_a_verdict_that_can_be_read_has_no_bar() -> None:
    asked = example().own.prompt
    page = render(small(comparisons=[comparison([duel(asked, "a", "b", None, None)])]))
    assert "none has a verdict that can be read" in words(page)
    assert 'class="axis toned' not in page


def test_drift_is_told_in_words(html: str) -> None:
    text = words(html)
    assert f"preferred responses became less likely than under {BASELINE}" in text
    assert f"the others became less likely than under {BASELINE}" in text
    assert "Did it forget the demonstrations?" in text
    assert f"nats per answer from {BASELINE}" in text
    assert "by chance" in text
    assert "how sure the model is" in text


def test_diversity_is_compared_figure_by_figure(html: str) -> None:
    text = words(html)
    assert f"no clear sign of collapse against {BASELINE} 9 figures compared" in text
    assert "Refusals share of answers that open with one" in text


def test_costs_of_judges_are_told(html: str) -> None:
    expected = "questions 48 known before 0 requests 48 replies not read 1 tokens sent 33,600 written 1,200"
    text = words(html)
    assert f"{CHAT} {expected} cost 0.0186" in text
    assert "Questions without a verdict: unreadable 1." in text


def test_scores_and_margins_are_drawn(html: str) -> None:
    text = words(html)
    assert "runs/reward\u2019s scores share of each model\u2019s whole answers" in text
    assert f"runs/reward\u2019s margins, against {BASELINE}" in text
    assert f"{BASELINE}: " in text
    assert "without a score, not shown." in text


def test_every_example_stands_once_with_both_texts_and_every_verdict(data: ReportData, html: str) -> None:
    text = words(html)
    assert html.count("data-example>") == len(data.examples)
    for one in data.examples:
        assert " ".join(one.own.prompt[-1].content.split()) in text
    assert text.count(f"{CHAT} \u00b7 shown first:") == len(data.examples)
    assert "Answer A says what to do in order" in text


def test_a_judge_that_minds_no_order_is_told_without_one(html: str) -> None:
    assert not re.search(r"<b>runs/reward</b> &middot; shown first", html)
    assert re.search(r"<b>runs/reward</b> &middot; margin [+\u2212]\d", html)


def test_conversations_are_shown_as_conversations(html: str) -> None:
    text = words(html)
    assert "System Answer in plain words. Person What is good for" in text
    assert "Model Patience, mostly. Person And in winter" in text
    assert 'class="turn own"' in html


def test_differences_are_marked_on_both_sides() -> None:
    page = render(small(examples=[example("boil it for eight minutes", "boil it for ten minutes")]))
    assert "boil it for <mark>eight</mark> minutes" in page
    assert "boil it for <mark>ten</mark> minutes" in page


def test_examples_stand_instead_of_the_side_by_side() -> None:
    beside = [SideBySide("p", {BASELINE: "x"}, {})]
    assert '<section id="answers"' in render(small(side_by_side=beside))
    assert '<section id="answers"' not in render(small(side_by_side=beside, examples=[example()]))


def test_only_the_search_may_run_and_nothing_may_be_asked_for(html: str) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert policy[1] == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    page = Page(html)
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "src"))
    assert not re.search(r"https?:|@import|url\((?!#)", html)


def test_the_search_is_hidden_until_the_script_shows_it(html: str) -> None:
    assert '<div class="search" id="search" hidden>' in html
    assert "script" not in Page(render(small(comparisons=won(3, 1).comparisons))).tags


def test_every_anchor_is_there_once_and_every_link_finds_its_own(html: str) -> None:
    page = Page(html)
    assert page.unclosed == []
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    linked = {value[1:] for name, value in page.attributes if name == "href"}
    assert linked <= set(ids)


def test_hostile_texts_stay_texts() -> None:
    nasty = [
        HOSTILE,
        "<!-- --> ]]> </textarea><svg onload=alert(1)>",
        "\u202egnirts\u202c \u200f",
        "x" * 5000,
    ]
    asked = example(prompt=HOSTILE).own.prompt
    verdict = duel(asked, nasty[0], nasty[1], margin=1.0, why=HOSTILE + nasty[1])
    examples = [example(one, other, HOSTILE, {HOSTILE: verdict}) for one in nasty for other in nasty[::-1]]
    judged = comparison([verdict], HOSTILE, baseline=HOSTILE)
    page = render(
        small(
            examples=[replace(one, model=HOSTILE, reference=HOSTILE) for one in examples],
            comparisons=[judged],
            waiting=[Waiting(HOSTILE, HOSTILE, HOSTILE)],
        ),
        {HOSTILE: HOSTILE},
    )
    read = Page(page)
    assert read.tags.count("script") == 1
    assert not {"img", "svg", "textarea"} & (set(read.tags) - {"svg"})
    assert not any(name.startswith("on") for name, _ in read.attributes)
    assert read.unclosed == []
    assert "x" * 5000 in page


def test_a_very_long_text_is_cut_and_says_where_it_is_whole() -> None:
    data = small(examples=[example("word " * 4000 + "end", "short")])
    page = words(render(data, {"answers.jsonl": "every answer"}))
    assert MOST_LETTERS == 4000 * 5
    assert "(3 more characters, in answers.jsonl)" in page
    assert "(3 more characters)" in words(render(data))


def test_what_stands_beside_the_page_is_named_and_not_linked(tmp_path: Path, data: ReportData) -> None:
    page = write(data, tmp_path / "report.html", {"summary.json": "every number"}).read_text("utf-8")
    assert "Written beside this page: <code>summary.json</code>, every number." in page
    assert "summary.json" not in render(data)


def test_the_same_evaluation_renders_to_the_same_bytes(data: ReportData, html: str) -> None:
    assert render(data) == html


def test_what_is_wider_than_a_phone_is_stacked_and_paper_shows_no_controls(html: str) -> None:
    assert ".lines.stacked tr { display: grid;" in html
    assert ".search, .lists, .others { display: none !important; }" in html
    assert "@media screen and (prefers-color-scheme: dark)" in html
