"""What comes out of texts that nobody vouches for: what they say, all of it, and nothing that acts."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.collect.web import text
from heedful.collect.web.text import LANGUAGES, LONG, NESTING, is_long, plain, rendered

BLOCKS = {"blockquote", "div", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
ELEMENTS = BLOCKS | {
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "a",
    "br",
    "code",
    "em",
    "s",
    "span",
    "strong",
}
ATTRIBUTES = {
    "aria-label",
    "class",
    "data-language",
    "dir",
    "href",
    "rel",
    "role",
    "start",
    "tabindex",
    "target",
}
CLASSES = {"plain", "image", "wide", "align-left", "align-center", "align-right", *"kscmfbid"}


class Seen(HTMLParser):
    """The elements, attributes and words of some markup, as a browser's parser finds them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(str(markup))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def assert_harmless(markup: str) -> Seen:
    seen = Seen(markup)
    assert seen.open == []
    assert seen.elements <= ELEMENTS
    for name, value in seen.attributes:
        assert name in ATTRIBUTES
        if name == "href":
            assert value.lower().startswith(("http://", "https://", "mailto:"))
        if name == "class":
            assert value in CLASSES
    return seen


def test_markdown_is_laid_out() -> None:
    assert rendered("**a** ~~b~~ `c`\nd") == (
        '<p dir="auto"><strong>a</strong> <s>b</s> <code>c</code><br />\nd</p>\n'
    )
    assert rendered("a\nb", breaks=False) == '<p dir="auto">a\nb</p>\n'
    assert rendered("3. x") == '<ol start="3" dir="auto">\n<li>x</li>\n</ol>\n'


def test_headings_stand_below_those_of_the_page() -> None:
    assert [f"<h{level} " in rendered("#" * size + " x") for size, level in ((1, 3), (2, 4), (6, 6))] == [
        True
    ] * 3


def test_cells_are_aligned_by_classes_and_a_wide_table_can_be_reached() -> None:
    table = rendered("| a | b |\n|:-:|--:|\n| 1 | 2 |")

    assert '<th class="align-center">a</th>\n<th class="align-right">b</th>' in table
    assert table.startswith(
        '<div class="wide" role="group" aria-label="Table" tabindex="0"><table dir="auto">'
    )


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)" style="position:fixed">x</a>',
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "[x](vbscript:x)",
        "[x](//evil.example)",
        "[x](/people)",
        "[x](http:/people)",
        "<javascript:alert(1)>",
        '[x](https://a.example/"onmouseover="alert(1))',
        '```"><script>alert(1)</script>\nx\n```',
        '```python"onload="x\nx = "<script>"\n```',
        "```html\n<script>alert(1)</script>\n```",
        '![x](https://a.example/"onerror="alert(1))',
        "<!-- x -->",
        "<?php x ?>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\x00<b>\ud7ff",
    ],
)
def test_what_would_act_is_shown_as_text(source: str) -> None:
    seen = assert_harmless(rendered(source))

    assert not any(name == "href" and "a.example" not in value for name, value in seen.attributes)
    assert assert_harmless(plain(source)).elements == {"pre"}


def test_an_image_is_not_loaded_but_described() -> None:
    assert rendered("![a *chart*](https://a.example/b.png)") == (
        '<p dir="auto"><span class="image">a chart <code>https://a.example/b.png</code></span></p>\n'
    )


def test_a_link_leads_out_and_tells_nothing_of_where_it_was_followed() -> None:
    link = '<a href="https://a.example/?b=1&amp;c=2" rel="noopener noreferrer nofollow" target="_blank">x</a>'

    assert rendered("[x](https://a.example/?b=1&c=2)") == f'<p dir="auto">{link}</p>\n'
    assert 'href="mailto:a@b.example"' in rendered("<a@b.example>")


def test_code_is_coloured_in_languages_that_are_known() -> None:
    code = rendered('```python\ndef f(x): return "a<b"  # c\n```')

    assert '<span class="k">def</span> <span class="f">f</span>' in code
    assert '<span class="s">&#34;a&lt;b&#34;</span>' in code
    assert '<pre dir="ltr" data-language="klingon"><code>nuqneH &amp;\n</code></pre>' in rendered(
        "```klingon\nnuqneH &\n```"
    )


@pytest.mark.parametrize("language", sorted(set(LANGUAGES.values())))
def test_every_lexer_is_there_and_keeps_the_code(language: str) -> None:
    source = 'x = {"a": [1, 2]} # <b>\n\tif (y) { return "z" }\n'

    assert Seen(rendered(f"```{language}\n{source}```")).words.strip("\n") == source.strip("\n")


@pytest.mark.parametrize(
    "source",
    [
        "[a]: https://a.example 'b'",
        "> " * NESTING + "deep",
        "\n".join(" " * 2 * i + "- a" for i in range(40)) + "deep",
    ],
)
def test_nothing_of_a_text_is_left_out(source: str) -> None:
    words = Seen(rendered(source)).words

    assert words.count("a") >= source.count("a")
    assert words.endswith("deep") == source.endswith("deep")


@pytest.mark.parametrize("source", ["[" * 50_000, "**a*" * 20_000, "![" * 30_000, "a" * 200_000])
def test_what_takes_too_long_to_lay_out_is_shown_as_written(
    source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "PATIENCE", 0.02)
    assert rendered(source) == plain(source)


def test_a_text_is_long_beyond_a_number_of_letters() -> None:
    assert (is_long("a" * LONG), is_long("a" * (LONG + 1))) == (False, True)


SIGNS = st.sampled_from("<>&\"'`*_~[]()!|-#>\n\t :/=\\")
TAGS = st.sampled_from(
    ["<script>", "<b style=x>", "onload=", "</p>", "&#106;", "&lt;", "<!--", "javascript:", "data:"]
)
MARKS = st.sampled_from(
    ["```python\n", "~~~html\n", "\n\n", "](", "![", "http://", "<http://", "mailto:", "|-|", "- ", "1. "]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SIGNS | TAGS | MARKS | st.text(max_size=4), max_size=40).map("".join))
def test_whatever_comes_in_only_harmless_markup_comes_out(source: str) -> None:
    assert_harmless(rendered(source))
    assert (
        Seen(plain(source)).words.split() == source.split()
        or "\r" in source
        or "&" in source
        or "\0" in source
    )


def test_a_text_is_laid_out_once() -> None:
    rendered.cache_clear()
    rendered("once")
    rendered("once")

    assert text.rendered.cache_info().hits == 1
