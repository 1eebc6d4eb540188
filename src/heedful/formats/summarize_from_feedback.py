"""OpenAI's "Learning to summarize from human feedback": votes between two summaries, and ratings of one.

Comparisons: `info, summaries[2]{text, policy, note}, choice, worker, extra{confidence}`. Which side is
better: `choice` is the index, 0 or 1, of the better summary. Each row is one worker's vote and becomes one
Preference; summary 0 stood left and counts as shown first.

Axis evaluations: `info, summary{text, policy, note, axes{overall, accuracy, coverage, coherence}}, worker`.
Each axis, 1 to 7 and higher better, becomes a Rating under its name. The axes are published inside `summary`
and are also found beside it. A null axis is left out as `unrated`; a yes or no (`compatible`) is metadata.

The prompt is the one the paper's models were given (its code's `tldr_task` and `cnndm_task`): for a post of
Reddit "SUBREDDIT: r/...\\n\\nTITLE: ...\\n\\nPOST: ...\\n\\nTL;DR:", a missing subreddit or title left out,
and for a news article "Article:\\n...\\n\\nTL;DR:\\n". `info` is of the kind whose text is there. Summaries
are kept as they are: most begin with a space.
"""

from __future__ import annotations

from typing import Any

from ..records import ANNOTATOR, GENERATOR, GENERATORS, SHOWN_FIRST, Messages, Preference, Rating, user
from .fields import (
    Fault,
    Fields,
    Origin,
    field,
    kind_of,
    number,
    numeric,
    optional_text,
    provenance,
    response_of,
    text,
)
from .format import Format

COMPARISON = frozenset({"info", "summaries", "choice"})
AXIS = frozenset({"info", "summary"})
LAYOUTS = (COMPARISON, AXIS)
USED = COMPARISON | AXIS | {"worker", "extra", "axes"}
NOTES = ("note_chosen", "note_rejected")


def fits(row: Fields) -> bool:
    if not isinstance(row.get("info"), dict):
        return False
    return row.keys() >= COMPARISON or isinstance(row.get("summary"), dict)


def parse(row: Fields, origin: Origin) -> Preference | list[Rating | Fault]:
    """A worker's Preference between two summaries, or the worker's Ratings of one."""
    prompt = _prompt(_object(field(row, "info"), "info"))
    return _preference(row, origin, prompt) if "summaries" in row else _ratings(row, origin, prompt)


def _prompt(info: Fields) -> Messages:
    post, article = optional_text(info, "post"), optional_text(info, "article")
    if post:
        parts = [
            ("SUBREDDIT: r/", optional_text(info, "subreddit")),
            ("TITLE: ", optional_text(info, "title")),
        ]
        lines = [head + said for head, said in (*parts, ("POST: ", post)) if said]
        return (user("\n\n".join((*lines, "TL;DR:"))),)
    if article:
        return (user(f"Article:\n{article}\n\nTL;DR:\n"),)
    raise Fault("empty_prompt", '"info" holds neither a post nor an article')


def _preference(row: Fields, origin: Origin, prompt: Messages) -> Preference:
    summaries = row["summaries"]
    if not isinstance(summaries, list) or len(summaries) != 2:
        raise Fault("wrong_type", '"summaries" must be a list of two')
    pair = [_object(summary, f"summaries[{n}]") for n, summary in enumerate(summaries)]
    responses = [_summary(summary, f"summaries[{n}].text") for n, summary in enumerate(pair)]
    choice = number(field(row, "choice"), "choice")
    if choice not in (0, 1):
        raise Fault("bad_value", f'"choice" must be 0 or 1, and is {choice:g}')
    better = int(choice)
    own = _provenance(row, origin)
    own["metadata"][SHOWN_FIRST] = "rejected" if better else "chosen"
    for names, key in ((GENERATORS, "policy"), (NOTES, "note")):
        values = pair[better].get(key), pair[1 - better].get(key)
        own["metadata"] |= {name: value for name, value in zip(names, values, strict=True) if value}
    return Preference(prompt, responses[better], responses[1 - better], **own)


def _ratings(row: Fields, origin: Origin, prompt: Messages) -> list[Rating | Fault]:
    summary = _object(field(row, "summary"), "summary")
    response = _summary(summary, "summary.text")
    axes = _object(summary["axes"] if "axes" in summary else field(row, "axes"), "axes")
    if not axes:
        raise Fault("unrated", "the summary is rated on no axis")
    own = _provenance(row, origin)
    own["metadata"] |= {GENERATOR: summary.get("policy"), "note": summary.get("note")}
    own["metadata"] |= {axis: value for axis, value in axes.items() if isinstance(value, bool)}
    metadata = {name: value for name, value in own["metadata"].items() if value is not None}
    found: list[Rating | Fault] = []
    for axis, value in axes.items():
        if isinstance(value, bool):
            continue
        try:
            if value is None:
                raise Fault("unrated", f'"axes.{axis}" is null')
            score = numeric(value, text(axis, "axis"))
        except Fault as fault:
            fault.part = {axis: value}
            found.append(fault)
            continue
        id = f"{own['id']}.{axis}"
        found.append(Rating(prompt, response, score, axis, id=id, source=own["source"], metadata=metadata))
    if not found:
        raise Fault("unrated", "no axis holds a number")
    return found


def _provenance(row: Fields, origin: Origin) -> dict[str, Any]:
    """The record's own, with who voted, how surely, and on which post or article."""
    own = provenance(row, origin, USED)
    if isinstance(row.get("extra"), dict):
        own["metadata"] |= {name: value for name, value in row["extra"].items() if value is not None}
    about = {ANNOTATOR: row.get("worker"), "post_id": row["info"].get("id")}
    own["metadata"] |= {name: str(value) for name, value in about.items() if value is not None}
    return own


def _summary(summary: Fields, key: str) -> Messages:
    return response_of(text(field(summary, "text"), key), key)


def _object(value: Any, key: str) -> Fields:
    if not isinstance(value, dict):
        raise Fault("wrong_type", f'"{key}" must be an object, not {kind_of(value)}')
    return value


FORMAT = Format(
    name="summarize-from-feedback",
    about="OpenAI's votes on summaries",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
)
