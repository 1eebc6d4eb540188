"""Texts that nobody vouches for, as markup that is safe to show: Markdown, tables and highlighted code.

What comes out holds no scripts, styles or handlers and loads nothing: an image is shown as its description
and address, a link leads to the web or to a mail address and nowhere else, HTML in a text stays text. Nothing
of a text is left out; what would take too long to lay out is shown as it was written.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token as Kind

LONGEST = 100_000  # letters that are laid out; more are shown as written
LONGEST_CODE = 20_000  # letters of a code block that are highlighted
PATIENCE = 0.3  # seconds of computing to lay one text out
NESTING = 30  # quotes in lists in quotes; deeper ones are shown as written
LONG = 6_000  # letters; a text of more is folded at first
CACHED = 2_000  # texts

LANGUAGES = {
    name: lexer
    for lexer, names in {
        "python": "python py python3",
        "pycon": "pycon",
        "javascript": "javascript js jsx mjs",
        "typescript": "typescript ts tsx",
        "json": "json jsonc",
        "html": "html",
        "xml": "xml svg",
        "css": "css",
        "bash": "bash sh shell zsh console",
        "sql": "sql",
        "java": "java",
        "kotlin": "kotlin kt",
        "c": "c h",
        "cpp": "cpp c++ cc hpp",
        "csharp": "csharp c# cs",
        "go": "go golang",
        "rust": "rust rs",
        "ruby": "ruby rb",
        "php": "php",
        "swift": "swift",
        "r": "r",
        "yaml": "yaml yml",
        "toml": "toml",
        "ini": "ini cfg",
        "diff": "diff patch",
        "docker": "docker dockerfile",
        "make": "make makefile",
        "lua": "lua",
        "haskell": "haskell hs",
        "scala": "scala",
        "tex": "tex latex",
    }.items()
    for name in names.split()
}
"""What a code block may call its language, and the lexer that colours it; others stay plain."""

_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]+", re.IGNORECASE)


class _TooMuch(Exception):
    """A text took longer than `PATIENCE`, or has more in each other than `NESTING`."""


@lru_cache(maxsize=CACHED)
def rendered(text: str, breaks: bool = True) -> Markup:
    """A text in Markdown as markup.

    Args:
        breaks: whether a line break in it is one on the page, as chats have it.
    """
    if len(text) > LONGEST:
        return plain(text)
    try:
        return Markup(_markdown(breaks).render(text, {"until": time.thread_time() + PATIENCE}))
    except (_TooMuch, RecursionError):
        return plain(text)


def plain(text: str) -> Markup:
    """A text as it was written, escaped, with its spaces and line breaks."""
    return Markup('<pre class="plain" dir="auto">{}</pre>').format(text)


def is_long(text: str) -> bool:
    """Whether the text is folded at first."""
    return len(text) > LONG


@cache
def _markdown(breaks: bool) -> MarkdownIt:
    options = {"html": False, "linkify": False, "typographer": False, "breaks": breaks, "maxNesting": NESTING}
    markdown = _Parser("commonmark", options, renderer_cls=_Renderer)
    markdown.enable(["table", "strikethrough"])
    markdown.disable("reference")  # "[1]: https://..." would vanish from the page
    # Rules that match nothing, asked at every place where the parser looks for something.
    markdown.block.ruler.before("table", "patience", _no_block, {"alt": []})
    markdown.inline.ruler.before("text", "patience", _no_inline)
    markdown.core.ruler.push("tidy", _tidy)
    return markdown


class _Parser(MarkdownIt):
    """The parser, but for where links may lead; others stay as they were written."""

    def validateLink(self, url: str) -> bool:
        return _ADDRESS.fullmatch(url) is not None


def _no_block(state: StateBlock, *_: Any) -> bool:
    _hurry(state.env)
    return False


def _no_inline(state: StateInline, *_: Any) -> bool:
    _hurry(state.env)
    return False


def _hurry(env: EnvType) -> None:
    if time.thread_time() > env["until"]:
        raise _TooMuch


def _tidy(state: StateCore) -> None:
    """What the parser writes in ways of its own, in those of the page.

    Headings stand below the page's own, cells are aligned by classes (styles are not allowed), each block
    finds its own direction of writing.
    """
    for token in state.tokens:
        if token.level >= NESTING - 1:  # what is in there was left out
            raise _TooMuch
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        if (style := token.attrs.pop("style", None)) is not None:
            token.attrs["class"] = str(style).replace("text-align:", "align-")
        if token.nesting == 1 and token.level == 0:
            token.attrs["dir"] = "auto"


class _Renderer(RendererHTML):
    """The parser's own renderer, but for images, links, tables and code."""

    def image(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[index]
        described = self.renderInlineAsText(token.children or [], options, env)
        address = str(token.attrs.get("src", ""))
        return f'<span class="image">{escapeHtml(described)} <code>{escapeHtml(address)}</code></span>'

    def link_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        address = escapeHtml(str(tokens[index].attrs.get("href", "")))
        return f'<a href="{address}" rel="noopener noreferrer nofollow" target="_blank">'

    def table_open(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        # A wide table moves sideways by itself, for which it must be reachable by keyboard.
        return '<div class="wide" role="group" aria-label="Table" tabindex="0"><table dir="auto">'

    def table_close(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"

    def code_block(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        return _code(tokens[index].content, "", env)

    def fence(self, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[index]
        return _code(token.content, token.info.strip(), env)


def _code(code: str, said: str, env: EnvType) -> str:
    """A code block that says of itself what language it is in."""
    name = LANGUAGES.get(said.split(maxsplit=1)[0].lower()) if said else None
    inside = str(escape(code))
    if name is not None and len(code) <= LONGEST_CODE:
        begun = time.thread_time()
        lexer = _lexer(name)
        env["until"] += time.thread_time() - begun  # the first text in a language pays for no others
        inside = _highlighted(code, lexer, env)
    label = f' data-language="{escape(said)}"' if said else ""
    return f'<pre dir="ltr"{label}><code>{inside}</code></pre>\n'


@cache
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


def _highlighted(code: str, lexer: Lexer, env: EnvType) -> str:
    def pieces() -> Iterator[tuple[str, str]]:
        for kind, piece in lexer.get_tokens(code):
            _hurry(env)
            yield _class(kind), piece

    parts = []
    for name, same in groupby(pieces(), key=itemgetter(0)):
        inside = escape("".join(piece for _, piece in same))
        parts.append(f'<span class="{name}">{inside}</span>' if name else str(inside))
    return "".join(parts)


@cache
def _class(kind: Any) -> str:
    """The class of a kind of token, of the few that are coloured."""
    for general, name in _COLOURED:
        if kind in general:
            return name
    return ""


_COLOURED = (
    (Kind.Comment, "c"),
    (Kind.Keyword, "k"),
    (Kind.Operator.Word, "k"),
    (Kind.Literal.String, "s"),
    (Kind.Literal.Number, "m"),
    (Kind.Name.Function, "f"),
    (Kind.Name.Class, "f"),
    (Kind.Name.Tag, "k"),
    (Kind.Name.Attribute, "f"),
    (Kind.Name.Builtin, "b"),
    (Kind.Name.Decorator, "b"),
    (Kind.Generic.Inserted, "i"),
    (Kind.Generic.Deleted, "d"),
    (Kind.Generic.Heading, "c"),
)
