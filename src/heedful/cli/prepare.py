"""`heedful split`, `dedupe`, `filter` and `mix`: data made ready for training. No model is loaded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.quarantine import Kept, Quarantined
    from heedful.records import Record

Number = TypeVar("Number", int, float)
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Data of any kind and layout.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")]
Near = Annotated[
    float, typer.Option(metavar="SHARE", help="Jaccard similarity from which on two texts are near, 0 to 1.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Do not look for near duplicates.")]
Seed = Annotated[int, typer.Option(help="Of the lot that is drawn.")]

SIMILARITY = 0.8
LARGE_GROUP = 0.05
"""Of the records that may stand in one group of near prompts before it is said."""
SOURCES_SHOWN = 10


def split(
    files: Files,
    outdir: Annotated[Path, typer.Argument(metavar="OUTDIR", help="The folder to write a file a part to.")],
    reading: Reading,
    writing: Writing,
    into: Annotated[
        str, typer.Option(metavar="NAME=SHARE,...", help="The parts, with their shares of the prompts.")
    ] = "train=0.9,test=0.1",
    near: Near = SIMILARITY,
    exact: Exact = False,
    seed: Seed = 0,
) -> None:
    """Split data by prompt, near-duplicate prompts on one side, each source in every part."""
    from heedful.prepare.split import deal, prompt_groups

    parts = _numbers(into.split(","), "--into", float)
    for name in parts:
        if not re.fullmatch(r"\w[\w.-]*", name):
            what = f"\"{name}\" cannot be a part's name: it becomes a file's."
            raise DataError(what, where="--into", mend="Use letters, digits, _, - and dots.")
    paths = {name: outdir / f"{name}.jsonl" for name in parts}
    writing.check(paths.values(), files)
    read = writing.read(files, reading)
    with writing.progress("comparing prompts") as told:
        groups = prompt_groups(read, near=None if exact else _similarity(near), progress=told)
    found = deal(read, groups, parts, seed=seed)
    writing.report(read, *((path, writing.write(found[name], path)) for name, path in paths.items()))
    for line in _shares(found):
        writing.say(line)
    largest = max(Counter(groups).values(), default=0)
    if largest > LARGE_GROUP * len(read):
        writing.say(
            f"{largest} records ({largest / len(read):.0%}) have one prompt or a chain of near ones and stay "
            "together. To part near ones, ask for more likeness (--near 0.9) or the same prompt (--exact)."
        )


def _shares(parts: Mapping[str, Kept[Record]]) -> Iterable[str]:
    """Each part's share of the records, and of each source's where there are several."""
    from heedful.prepare.facts import source_of

    counts = {name: Counter(map(source_of, part)) for name, part in parts.items()}
    totals: Counter[str] = sum(counts.values(), Counter())
    yield "of all records: " + _line(counts, totals.keys(), totals.total())
    if len(totals) > 1:
        for source, total in totals.most_common(SOURCES_SHOWN):
            yield f"of {source or 'no source'}: " + _line(counts, [source], total)


def _line(counts: Mapping[str, Counter[str]], sources: Iterable[str], total: int) -> str:
    sources = list(sources)
    sums = {name: sum(count[source] for source in sources) for name, count in counts.items()}
    return ", ".join(f"{name} {number / max(total, 1):.1%}" for name, number in sums.items())


def dedupe(
    files: Files,
    out: Out,
    reading: Reading,
    writing: Writing,
    near: Near = SIMILARITY,
    exact: Exact = False,
    contradictions: Annotated[
        Literal["keep_first", "drop_both", "report"],
        typer.Option(help="Of two opposite labels of one pair keep the first, neither, or both."),
    ] = "report",
) -> None:
    """Leave out records that repeat an earlier one, word for word or nearly."""
    from heedful.prepare.dedupe import dedupe as deduped

    writing.check([out], files)
    read = writing.read(files, reading)
    with writing.progress("comparing records") as told:
        similarity = None if exact else _similarity(near)
        found = deduped(read, near=similarity, contradictions=contradictions, progress=told)
    _finish(writing, read, found, out)
    if found.contradictions and contradictions == "report":
        writing.say(
            f"{found.contradictions} records say the opposite of another one and were kept. Leave them out "
            "with --contradictions drop_both."
        )


def filter_(
    files: Files,
    out: Out,
    reading: Reading,
    writing: Writing,
    min_margin: Annotated[float | None, typer.Option(help="The least margin, in the source's units.")] = None,
    min_agreement: Annotated[
        float | None, typer.Option(min=0, max=1, help="The least share of votes for chosen.")
    ] = None,
    min_prompt_words: Annotated[int | None, typer.Option(min=0, help="Of all turns together.")] = None,
    max_prompt_words: Annotated[int | None, typer.Option(min=0, help="Of all turns together.")] = None,
    min_response_words: Annotated[int | None, typer.Option(min=0, help="Of each response.")] = None,
    max_response_words: Annotated[int | None, typer.Option(min=0, help="Of each response.")] = None,
    max_length_ratio: Annotated[
        float | None, typer.Option(min=1, help="Words of the longest response over those of the shortest.")
    ] = None,
    script: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="latin, han, arabic, ...: the letters', not the language; may repeat."
        ),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="As the metadata name it; may repeat.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Keep this; may repeat.")] = None,
    not_source: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave this out; may repeat.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME>=NUMBER", help="A number of the metadata; also <=, >, <, =; may repeat."),
    ] = None,
) -> None:
    """Keep the records that are as asked, and say why the others are not."""
    from heedful.prepare.filters import Condition, Filters, filtered

    filters = Filters(
        min_margin=min_margin,
        min_agreement=min_agreement,
        min_prompt_words=min_prompt_words,
        max_prompt_words=max_prompt_words,
        min_response_words=min_response_words,
        max_response_words=max_response_words,
        max_length_ratio=max_length_ratio,
        scripts=tuple(script or ()),
        languages=tuple(language or ()),
        sources=tuple(source or ()),
        not_sources=tuple(not_source or ()),
        conditions=tuple(Condition.parse(text) for text in where or ()),
    )
    writing.check([out], files)
    read = writing.read(files, reading)
    _finish(writing, read, filtered(read, filters), out)


def mix(
    files: Files,
    out: Out,
    reading: Reading,
    writing: Writing,
    cap: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE=COUNT", help="The most of a source; may repeat.")
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE=WEIGHT", help="Its share against the others with one; may repeat."),
    ] = None,
    per_prompt: Annotated[
        int | None, typer.Option(min=1, metavar="COUNT", help="The most records of one prompt.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Mix files, with at most so many records of a source and of a prompt."""
    from heedful.prepare.facts import source_of
    from heedful.prepare.mix import mix as mixed

    caps, weights = _numbers(cap or (), "--cap", int), _numbers(weight or (), "--weight", float)
    writing.check([out], files)
    read = writing.read(files, reading)
    found = mixed(read, caps=caps, weights=weights, per_prompt=per_prompt, seed=seed)
    _finish(writing, read, found, out)
    for source, count in Counter(map(source_of, found)).most_common(SOURCES_SHOWN):
        writing.say(f"  {source or 'no source'} {count} ({count / len(found):.1%})")


def _finish(writing: Writing, read: Kept[Record], found: Kept[Record], out: Path) -> None:
    """Write what was kept and say what became of every row that was read."""
    from heedful.quarantine import Kept

    left_out: Sequence[Quarantined] = [*read.quarantined, *found.quarantined]
    writing.report(Kept(found, left_out), (out, writing.write(found, out)))


def _similarity(near: float) -> float:
    if not 0 < near <= 1:
        raise DataError(f"must be over 0 and at most 1, not {near:g}.", where="--near")
    return near


def _numbers(texts: Iterable[str], option: str, number: Callable[[str], Number]) -> dict[str, Number]:
    """`NAME=NUMBER` of each text, by name."""
    found: dict[str, Number] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.rpartition("="))
        try:
            if not name or name in found:
                raise ValueError
            found[name] = number(value)
        except ValueError:
            what = f'"{text}" is not NAME=NUMBER' + (", or names one twice." if name in found else ".")
            raise DataError(what, where=option, mend=f"Say for example {option} wiki=1000.") from None
    return found
