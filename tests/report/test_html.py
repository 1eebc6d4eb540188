"""The page: complete, self-contained, and safe from what a model may write."""

import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from heedful.evaluation.answer_scores import AnswerScores
from heedful.report import AccuracyRow, Curve, ReportData, SideBySide, render
from heedful.report.html import OPEN_ANSWERS

VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = (
    "</div><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)> \"'&amp; {{ 7*7 }}"
)


class Page(HTMLParser):
    """The page as a browser sees it: its tags, its attributes, its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.unclosed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.text += " "
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.text += " "
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.unclosed:
            self.text += data


def words(html: str) -> str:
    return " ".join(Page(html).text.split())


def hostile() -> ReportData:
    """The same hostile text wherever a page takes text from outside."""
    return ReportData(
        title=HOSTILE,
        intro=HOSTILE,
        facts={HOSTILE: HOSTILE},
        stages=[HOSTILE],
        curves=[Curve(HOSTILE, HOSTILE, {HOSTILE: [(0.0, 1.0), (1.0, math.nan)]}, x_label=HOSTILE)],
        accuracy=[
            AccuracyRow(HOSTILE, HOSTILE, 0.5, 0.4, 0.6, 10),
            AccuracyRow(HOSTILE + "r", "", 0.5, 0.4, 0.6, 10),
        ],
        side_by_side=[SideBySide(HOSTILE, {HOSTILE: HOSTILE}, {HOSTILE: True}, HOSTILE)],
        notes=[HOSTILE],
        quarantine={HOSTILE: 1},
    )


def test_the_page_holds_everything_it_was_given(data: ReportData) -> None:
    text = words(render(data))
    for part in (
        "A small run",
        "Second paragraph.",
        "2 cores",
        "How do I boil an egg?",
        "Eight minutes.",
        "Boil it for eight minutes.",
        "ended by itself",
        "cut off",
        "Only a hundred prompts.",
        "equal_sides 3",
        "rows left out 4",
        "nats per pair",
        "Implicit reward",
    ):
        assert part in text


def test_every_number_stands_with_its_interval_and_n(data: ReportData) -> None:
    text = words(render(data))
    assert "80% 95% 71\u201387%, n = 100 pairs clearly better than a coin +30 points from 50%" in text
    assert "10% \u2192 95% DPO: 95% 89\u201398%, n = 100 answers clear rise from base +85 points" in text


def test_a_difference_inside_the_interval_is_called_no_clear_difference(data: ReportData) -> None:
    assert "55% 95% 45\u201364%, n = 100 pairs no clear difference from base +5 points" in words(render(data))


def test_four_models_on_two_roads_stand_side_by_side(data: ReportData) -> None:
    stages = ["base", "SFT", "DPO", "PPO"]
    scores = {stage: AnswerScores(np.full(5, at + 0.5)) for at, stage in enumerate(stages)}
    item = SideBySide("p", dict.fromkeys(stages, "x"), {})
    shown = replace(data, stages=stages, origins={"PPO": "SFT"}, side_by_side=[item])
    html = render(replace(shown, scores={"Reward model": scores}))
    assert Page(html).unclosed == []
    assert '<div class="answers of4">' in html
    assert html.count('<li class="fork">') == 1
    text = words(html)
    assert "0.50 \u2192 2.50 DPO: 95% 2.50 to 2.50, n = 5 whole answers clear rise from base +2.00" in text
    assert "0.50 \u2192 3.50 PPO: 95% 3.50 to 3.50, n = 5 whole answers clear rise from base +3.00" in text
    assert "PPO 3.50 95% 3.50 to 3.50, n = 5 whole answers clear rise from SFT +2.00" in text


def test_a_mean_of_too_few_whole_answers_is_a_dash_and_is_not_drawn(data: ReportData) -> None:
    scores = {"base": AnswerScores(np.array([1.0, *[np.nan] * 5])), "DPO": AnswerScores(np.arange(6.0))}
    html = render(replace(data, scores={"Reward model": scores}))
    assert "base \u2013 95% unknown, n = 1 whole answer DPO 2.50" in words(html)
    assert "too few to tell from base \u2013, on 1 prompt" in words(html)
    assert "nan" not in "".join(value for name, value in Page(html).attributes if name == "style")


def test_a_headline_starts_from_the_first_model_whose_number_is_known(data: ReportData) -> None:
    few = AnswerScores(np.array([1.0, *[np.nan] * 5]))
    scores = {"base": few, "SFT": AnswerScores(np.arange(6.0)), "DPO": AnswerScores(np.arange(6.0) + 1)}
    text = words(render(replace(data, stages=list(scores), scores={"Reward model": scores})))
    assert "2.50 \u2192 3.50 DPO: 95%" in text
    assert "clear rise from SFT +1.00" in text


def test_the_page_is_well_formed(data: ReportData) -> None:
    page = Page(render(data))
    assert page.unclosed == []
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_the_page_needs_nothing_from_elsewhere(data: ReportData) -> None:
    html = render(data)
    page = Page(html)
    assert "http:" not in html
    assert "https:" not in html
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert all(value.startswith("#") for name, value in page.attributes if name in ("href", "src"))
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)


def test_the_page_forbids_scripts_and_requests(data: ReportData) -> None:
    assert "default-src 'none'; style-src 'unsafe-inline'" in dict(Page(render(data)).attributes).values()


def test_hostile_text_stays_text_wherever_it_comes_from() -> None:
    html = render(hostile())
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "&lt;script&gt;" in html
    assert page.text.count("{{ 7*7 }}") >= 12
    assert page.unclosed == []


def test_text_that_no_file_can_hold_is_replaced() -> None:
    html = render(ReportData("bad \ud800 \x00 \x1b[2J", notes=["\x08"]))
    assert html.encode("utf-8")
    assert "bad \ufffd \ufffd \ufffd[2J" in html


def test_white_space_in_an_answer_survives(data: ReportData) -> None:
    item = SideBySide("p", {"base": "  one\n\n    two\n"}, {})
    assert ">  one\n\n    two\n</div>" in render(replace(data, side_by_side=[item]))


def test_an_empty_answer_says_so_and_an_unknown_end_shows_no_badge(data: ReportData) -> None:
    text = words(render(replace(data, side_by_side=[SideBySide("p", {"base": " "}, {})])))
    assert "base 0 words (an empty answer)" in text


def test_the_first_answers_are_open_and_the_rest_folded(data: ReportData) -> None:
    items = [SideBySide(f"prompt-{i}", {"base": "x"}, {"base": True}) for i in range(OPEN_ANSWERS + 2)]
    html = render(replace(data, side_by_side=items))
    shown, folded = html.split("<details>")
    assert f"prompt-{OPEN_ANSWERS - 1}<" in shown
    assert "Show 2 more" in folded
    assert f"prompt-{OPEN_ANSWERS}<" in folded
    assert "<details>" not in render(data)


def test_a_curve_with_nothing_to_draw_says_so(data: ReportData) -> None:
    html = render(replace(data, curves=[Curve("Loss", "nats", {"train": [(0.0, math.nan)]})]))
    assert "<svg" not in html
    assert "Nothing to draw. train: 1 of 1 values are not finite and not shown." in words(html)


def test_the_barest_report_renders() -> None:
    html = render(ReportData("Bare"))
    assert Page(html).unclosed == []
    assert "No row of the data was left out." in html
    for section in ("accuracy", "behaviour", "curves", "answers", "facts", "notes"):
        assert f'<section id="{section}"' not in html


def test_a_number_without_an_interval_renders(data: ReportData) -> None:
    lone = replace(
        data.behaviour["base"],
        n=1,
        words_interval=(math.nan, math.nan),
        words_median_interval=(math.nan, math.nan),
    )
    html = render(replace(data, behaviour={"base": lone}))
    assert "95% unknown, n = 1 answer" in words(html)
    assert "nan" not in "".join(value for name, value in Page(html).attributes if name == "style")


def test_intervals_are_drawn_where_the_numbers_are(data: ReportData) -> None:
    row = AccuracyRow("Implicit reward", "DPO", 0.8, 0.7, 0.9, 100)
    html = render(replace(data, accuracy=[row]))
    assert '<i style="left:70.00%;width:20.00%"></i><u style="left:80.00%"></u>' in html


@pytest.mark.parametrize("part", ["prefers-color-scheme: dark", "max-width: 44rem", "@media print"])
def test_the_page_minds_darkness_phones_and_paper(data: ReportData, part: str) -> None:
    assert part in render(data)


def test_the_same_report_renders_to_the_same_bytes(data: ReportData) -> None:
    assert render(data) == render(data)
