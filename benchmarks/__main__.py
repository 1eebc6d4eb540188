"""`python -m benchmarks`: measure both sides in turn, print the ratios, keep the figures."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, rows, session
from benchmarks.session import DEFAULT_DATA, say

MODULES = {"heedful": "benchmarks.heedful_jobs", "trl": "benchmarks.peer_trl"}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = session.parser(
        "python -m benchmarks",
        "Heedful and TRL, same rows",
        data=DEFAULT_DATA,
        steps=10,
        warmup=3,
        step="optimiser steps",
    )
    parser.add_argument("--kinds", nargs="+", choices=measure.KINDS, default=list(measure.KINDS))
    parser.add_argument("--held-out", type=int, default=32, help="further pairs that judge reward models")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    from transformers import AutoTokenizer

    here, precision = session.describe_machine(options.precision)
    folder = session.model_folder(options.model)
    fitting = {"tokenizer": AutoTokenizer.from_pretrained(folder), "max_length": measure.MAX_LENGTH}
    with tempfile.TemporaryDirectory(prefix="benchmark-rows-") as scratch:
        count = (options.warmup + options.steps) * measure.BATCH_SIZE
        used = rows.prepare(options.data, Path(scratch, "rows.jsonl"), count=count, **fitting)
        say(f"{used.kept} pairs, {used.cut} cut to {measure.MAX_LENGTH} tokens; {used.left_out} left out")
        held_out = Path(scratch, "held-out.jsonl")
        if "reward" in options.kinds:
            behind = used.kept + used.left_out
            rows.prepare(options.data, held_out, count=options.held_out, skip=behind, **fitting)
        results = session.measure_all(
            options,
            options.kinds,
            MODULES,
            rows=str(used.path),
            held_out=str(held_out),
            model=folder,
            precision=precision,
        )
    settings = {
        "batch_size": measure.BATCH_SIZE,
        "max_length": measure.MAX_LENGTH,
        "epochs": measure.EPOCHS,
        "learning_rates": {kind: measure.LEARNING_RATES[kind] for kind in options.kinds},
        "held_out": options.held_out,
    }
    # A report of some kinds must not take the place of one of all.
    name = "" if set(options.kinds) == set(measure.KINDS) else "-".join(options.kinds)
    session.conclude(
        options, here, precision, used, results, settings=settings, folder=options.results, name=name
    )


if __name__ == "__main__":
    main()
