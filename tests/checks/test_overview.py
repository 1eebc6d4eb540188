"""What the data look like: lengths, margins and soft labels, counted and drawn."""

from __future__ import annotations

import dataclasses

from heedful.checks.overview import CHARACTERS, Overview
from heedful.checks.running import run
from heedful.records import Demonstration, Judgement, Preference, Record, assistant, user

PAIR = Preference((user("x" * 30),), (assistant("y" * 600),), (assistant("z" * 10),), id="p")


def outcome(*records: Record):
    ((_, found),) = run(records, [Overview()]).checks
    return found


def test_lengths_are_counted_by_part_in_characters() -> None:
    found = outcome(PAIR, PAIR, Demonstration((user("hi"), assistant("a"), user("b")), (assistant("yes"),)))

    (lengths,) = found.plots
    where = {part: [n for n, count in enumerate(counts) if count] for part, counts in lengths.series.items()}
    assert [CHARACTERS[n] for n in where["chosen"]] == [500]
    assert lengths.series["rejected"][0] == 2
    assert lengths.series["prompt"][:2] == (1, 2)
    assert lengths.bins == (0, 20, 50, 100, 200, 500, 1000)  # no longer than the longest
    assert found.figures["characters"] == {"prompt": 64 / 3, "chosen": 600, "rejected": 10, "response": 3}
    assert found.figures["prompts_of_several_turns"] == 1


def test_margins_and_soft_labels_are_drawn_where_there_are_some() -> None:
    records = [dataclasses.replace(PAIR, margin=float(n), probability=0.5 + n / 20) for n in range(10)]

    found = outcome(*records, PAIR)

    titles = [plot.title.split()[0] for plot in found.plots]
    assert titles == ["Length", "Margins,", "Soft"]
    assert found.plots[1].labels == tuple(map(str, range(10)))
    assert sum(found.plots[2].series["pairs"]) == 10
    assert (found.figures["ties"], found.figures["pairs"]) == (1, 11)


def test_many_margins_are_drawn_in_bins() -> None:
    records = [dataclasses.replace(PAIR, margin=n / 7) for n in range(70)]

    margins = outcome(*records).plots[1]

    assert (margins.kind, len(margins.bins), sum(margins.series["pairs"])) == ("histogram", 11, 70)


def test_votes_have_no_text_and_nothing_is_ever_found() -> None:
    found = outcome(Judgement("item", "ann", "a"))

    assert (found.plots, found.tables, found.findings) == ((), (), ())
    assert outcome(PAIR).findings == ()
