"""`python -m benchmarks.ppo`: PPO against the last TRL release that had it, on the same prompts.

Every iteration answers the same prompts with the same number of tokens on both sides, scores the answers with
a reward model of the same architecture, and passes over them as often. What a side's iteration is stands in
its own file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path

from benchmarks import measure, rows, session

MODULES = {"heedful": "benchmarks.heedful_ppo", "trl": "benchmarks.peer_trl_ppo"}
PEER = session.ROOT / ".venv" / "peers" / "trl-1.9.2"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = session.parser(
        "python -m benchmarks.ppo",
        "PPO, Heedful and TRL, same prompts",
        data=session.DATA / "hh-harmless-test-600.jsonl.gz",
        steps=2,
        warmup=1,
        step="iterations",
    )
    parser.add_argument("--episodes", type=int, default=16, help="prompts answered in an iteration")
    parser.add_argument("--prompt-tokens", type=int, default=96, help="longer prompts are left out")
    parser.add_argument("--new-tokens", type=int, default=48, help="tokens of every answer")
    parser.add_argument("--trl", type=Path, default=PEER, help="the folder that TRL 1.9.2 is installed in")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    peer = peer_version(options.trl) if options.peer else None
    from transformers import AutoTokenizer

    here, precision = session.describe_machine(options.precision)
    here["versions"]["trl"] = peer
    folder = session.model_folder(options.model)
    with tempfile.TemporaryDirectory(prefix="benchmark-ppo-") as scratch:
        used = rows.prepare_prompts(
            options.data,
            Path(scratch, "prompts.jsonl"),
            count=(options.warmup + options.steps) * options.episodes,
            tokenizer=AutoTokenizer.from_pretrained(folder),
            longest=options.prompt_tokens,
            new_tokens=options.new_tokens,
        )
        session.say(f"{used.kept} prompts of {used.prompt_tokens} tokens; {used.left_out} left out")
        numbers = {"episodes": options.episodes, "new_tokens": options.new_tokens}
        results = session.measure_all(
            options,
            ["ppo"],
            MODULES,
            rows=str(used.path),
            model=folder,
            precision=precision,
            packages=str(options.trl.resolve()),
            options=numbers,
        )
    settings = {
        **numbers,
        "prompt_tokens": options.prompt_tokens,
        "inner_epochs": measure.INNER_EPOCHS,
        "minibatches": measure.MINIBATCHES,
        "learning_rate": measure.LEARNING_RATES["ppo"],
    }
    session.conclude(
        options, here, precision, used, results, settings=settings, folder=options.results / "ppo"
    )


def peer_version(folder: Path) -> str:
    """Which TRL a folder holds. Ends the program when it holds none."""
    found = next(iter(distributions(name="trl", path=[str(folder)])), None)
    if found is None:
        raise SystemExit(f"no TRL in {folder}: python -m pip install --no-deps --target {folder} trl==1.9.2")
    return found.version


if __name__ == "__main__":
    main()
