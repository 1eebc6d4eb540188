"""Candidates: different answers from every model, counts that add up, and nothing lost to a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from heedful import formats
from heedful.collect.sampling.candidates import BATCH, Plan, fingerprint, make_candidates
from heedful.collect.sampling.journal import SUFFIX, Drawn, Journal
from heedful.errors import DataError
from heedful.quarantine import Counts
from heedful.records import (
    GENERATED_BY,
    GENERATORS,
    Candidates,
    Demonstration,
    Judgement,
    Message,
    Messages,
    Preference,
    Prompt,
    assistant,
    user,
)

WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heron")


class Fake:
    """Answers by a function of conversation, temperature and number; by default never the same twice."""

    def __init__(self, name: str, answer: Callable[[Messages, float, int], Drawn | str] | None = None):
        self.name = name
        self.asked: list[tuple[Messages, float, int, int]] = []
        self._answer = answer or self._different

    def __call__(
        self, conversations: Sequence[Messages], *, temperature: float, count: int, seed: int, on_done
    ) -> list[list[Drawn]]:
        on_done(1)
        self.asked += [(conversation, temperature, count, seed) for conversation in conversations]
        return [
            [self._drawn(conversation, temperature, number) for number in range(count)]
            for conversation in conversations
        ]

    def _drawn(self, conversation: Messages, temperature: float, number: int) -> Drawn:
        found = self._answer(conversation, temperature, number)
        return Drawn(found) if isinstance(found, str) else found

    def _different(self, conversation: Messages, temperature: float, number: int) -> str:
        return sha256(f"{self.name} {temperature} {number}".encode()).hexdigest()


def ask(text: str, **more) -> Prompt:
    return Prompt((user(text),), **more)


def texts(record: Candidates) -> list[str]:
    return [response[-1].content for response in record.responses]


def test_every_model_answers_at_every_temperature_and_each_answer_says_whose_it_is() -> None:
    base, tuned = Fake("base"), Fake("tuned")
    prompt = ask("Why?", id="q1", source="forum", metadata={"language": "en", "annotator": "x"})

    (made,) = make_candidates([prompt], [base, tuned], Plan(count=4, temperatures=(0.7, 1.0)))

    assert (made.prompt, made.id, made.source) == (prompt.prompt, "q1", "forum")
    assert made.metadata[GENERATED_BY] == ["base t=0.7", "tuned t=0.7", "base t=1", "tuned t=1"]
    assert made.metadata["language"] == "en"
    assert "annotator" not in made.metadata  # of a vote, and there is none any more
    assert len(set(texts(made))) == 4


def test_a_model_has_answered_all_prompts_before_the_next_is_asked() -> None:
    order: list[str] = []
    models = [Fake(name, lambda *a, name=name: (order.append(name), f"{name} {a[1:]}")[1]) for name in "ab"]

    make_candidates([ask(f"{n}?") for n in range(2 * BATCH)], models, Plan(count=4))

    assert order == sorted(order)


def test_fewer_places_than_sources_are_shared_out_evenly() -> None:
    base, tuned = Fake("base"), Fake("tuned")
    prompts = [ask(f"{n}?") for n in range(8)]

    made = make_candidates(prompts, [base, tuned], Plan(count=2, temperatures=(0.7, 1.0)))

    by = [name for record in made for name in record.metadata[GENERATED_BY]]
    assert {name: by.count(name) for name in by} == dict.fromkeys(by, 4)
    assert all({"base", "tuned"} == {n.split()[0] for n in r.metadata[GENERATED_BY]} for r in made)
    assert made.answers == {"kept": 16, "spare": 16}


def test_empty_cut_equal_and_nearly_equal_answers_are_left_out_and_counted() -> None:
    long = "The river rises in the mountains and runs for many miles to the sea"
    answers = [" \n", Drawn("The river ri", ended=False), long, f"  {long}\n", f"{long}!", "It does not."]

    made = make_candidates(
        [ask("Where?")],
        [Fake("m", lambda _, __, number: answers[number])],
        Plan(count=4, temperatures=(1.0,), samples=6),
    )

    assert texts(made[0]) == [long, "It does not."]
    assert made.answers == {"empty": 1, "cut": 1, "kept": 2, "same": 1, "near": 1}


def test_a_cut_answer_is_kept_where_that_is_asked_for() -> None:
    sampler = Fake("m", lambda _, __, number: Drawn(WORDS[number] * 3, ended=False))
    (made,) = make_candidates([ask("Why?")], [sampler], Plan(count=2, temperatures=(1.0,), keep_cut=True))
    assert texts(made) == [WORDS[0] * 3, WORDS[1] * 3]


def test_how_near_is_too_near_is_as_asked() -> None:
    pair = ["The cat sat on the mat.", "The cat sat on the hat."]
    sampler = Fake("m", lambda _, __, number: pair[number])

    def made(near: float) -> int:
        return len(make_candidates([ask("?")], [sampler], Plan(2, (1.0,), near=near)))

    assert (made(0.9), made(0.5)) == (1, 0)


def test_prompts_are_left_out_by_reason_and_counts_add_up() -> None:
    def answer(conversation: Messages, _: float, number: int) -> str:
        return "Yes." if "same" in conversation[-1].content else WORDS[number]

    rows = [
        ask("Why?", id="a"),
        ask("  Why? ", id="b"),
        ask("same?", id="c"),
        ask(" ", id="d"),
        Judgement("a", "ann", "tie"),
    ]

    made = make_candidates(rows, [Fake("m", answer)], Plan(count=3, temperatures=(1.0,)))

    assert made.counts == Counts(5, 1, {"same_prompt": 1, "too_few_answers": 1, "no_prompt": 2})
    assert [(row.where, row.detail) for row in made.quarantined[:2]] == [
        ("b", "a has the same prompt"),
        ("c", "of 3 answers 1 kept, 2 the same as another"),
    ]
    assert made.answers == {"kept": 3, "same": 2, "too few": 1}


def test_a_model_that_cannot_take_a_prompt_is_named() -> None:
    class Silent(Fake):
        def __call__(self, conversations, **options):
            return [[] for _ in conversations]

    made = make_candidates([ask("?")], [Silent("mute"), Fake("m")], Plan(count=2, temperatures=(1.0,)))

    assert made.quarantined[0].detail == "of 1 answers 1 kept; mute t=1 cannot take the prompt"


def test_at_temperature_0_a_model_is_asked_once() -> None:
    sampler = Fake("m")
    make_candidates([ask("?")], [sampler], Plan(count=6, temperatures=(0.0, 1.0)))
    assert [(temperature, count) for _, temperature, count, _ in sampler.asked] == [(0.0, 1), (1.0, 3)]


def test_a_system_message_stands_in_the_prompt_that_was_answered() -> None:
    sampler = Fake("m")
    own = Prompt((Message("system", "Rhyme."), user("Why?")))

    made = make_candidates([ask("How?"), own], [sampler], Plan(2, (1.0,), system="Be brief."))

    assert [record.prompt[0].content for record in made] == ["Be brief.", "Rhyme."]
    assert [asked[0] for asked in sampler.asked] == [record.prompt for record in made]


def test_responses_of_the_data_come_first_with_their_names_and_rows_of_one_prompt_are_joined() -> None:
    sides = dict(zip(GENERATORS, ("gpt", "human"), strict=True))
    rows = [
        Preference((user("Why?"),), (assistant("Because."),), (assistant("No idea."),), metadata=sides),
        Demonstration((user("Why?"),), (assistant("Since the dawn of time."),)),
        Demonstration((user("How?"),), (assistant("Slowly."),)),
    ]

    made = make_candidates(rows, [Fake("m")], Plan(4, (1.0,), samples=1, keep_responses=True))

    assert [record.metadata[GENERATED_BY] for record in made] == [
        ["gpt", "m t=1", "human", "data"],
        ["data", "m t=1"],
    ]
    assert texts(made[1])[0] == "Slowly."
    assert [len(record.responses) for record in make_candidates(rows, [Fake("m")], Plan(4, (1.0,)))] == [4, 4]


def test_the_seed_decides_and_every_batch_has_its_own() -> None:
    def seeds(seed: int) -> set[int]:
        sampler = Fake("m")
        make_candidates([ask(f"{n}?") for n in range(2 * BATCH)], [sampler], Plan(4, (0.7, 1.0), seed=seed))
        return {seed for *_, seed in sampler.asked}

    assert len(seeds(1)) == 4
    assert seeds(1) == seeds(1)
    assert not seeds(1) & seeds(2)


def test_progress_counts_answers() -> None:
    told: list[tuple[int, int]] = []
    prompts = [ask(f"{n}?") for n in range(BATCH + 4)]
    make_candidates(prompts, [Fake("m")], Plan(2, (1.0,)), progress=lambda *seen: told.append(seen))
    assert [done for done, _ in told] == [1, 2 * BATCH, 2 * BATCH + 1, 2 * BATCH + 8]
    assert {total for _, total in told} == {2 * BATCH + 8}


KILLED = """
import sys
from pathlib import Path
from tests.collect.sampling.test_candidates import run

run(Path(sys.argv[1]), kill_at=int(sys.argv[2]), resume=sys.argv[3] == "resume")
"""


def run(out: Path, *, kill_at: int | None = None, resume: bool = False) -> list[int]:
    """Make candidates of 4 batches by 2 models; returns the sizes of the batches that were asked for."""
    asked: list[int] = []

    class Steady(Fake):
        def __call__(self, conversations, *, temperature, count, seed, on_done):
            if len(asked) == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            asked.append(len(conversations))
            return [
                [Drawn(f"{zlib.crc32(f'{self.name}{c}{seed}{n}'.encode()):x}\udcff") for n in range(count)]
                for c in conversations
            ]

    prompts = [ask(f"Question {number}?") for number in range(4 * BATCH)]
    journal = Journal.beside(out, {"prompts": fingerprint(prompts)}, resume=resume)
    made = make_candidates(prompts, [Steady("a"), Steady("b")], Plan(2, (1.0,)), journal=journal)
    formats.write(made, out)
    journal.remove()
    return asked


def test_a_killed_run_goes_on_and_ends_as_if_it_had_never_been_killed(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    assert run(whole) == [BATCH] * 8

    for at, how in ((3, "begin"), (2, "resume"), (0, "resume")):
        done = subprocess.run([sys.executable, "-c", KILLED, str(killed), str(at), how], check=False)
        assert done.returncode == -9
        assert not killed.exists()
        with killed.with_name(killed.name + SUFFIX).open("ab") as file:
            file.write(b'{"source": "b t=1", "bat')  # as a kill in the middle of a line leaves it

    assert run(killed, resume=True) == [BATCH] * 3  # the 3 and 2 batches before were not asked for again
    assert killed.read_bytes() == whole.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if SUFFIX in path.name] == []


def test_an_unfinished_run_is_in_the_way_and_goes_on_only_as_it_began(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    Journal.beside(out, {"seed": 0, "models": []}, resume=True)  # nothing was sampled: not in the way
    begun = Journal.beside(out, {"seed": 1, "models": ["a"]}, resume=True)
    begun.put("a t=1", 0, [[Drawn("Yes.", False)]])

    with pytest.raises(DataError, match=r"an earlier run was not finished.*--resume"):
        Journal.beside(out, {"seed": 1, "models": ["a"]}, resume=False)
    with pytest.raises(DataError, match="begun with other models and seed"):
        Journal.beside(out, {"seed": 2, "models": ["b"]}, resume=True)
    again = Journal.beside(out, {"models": ["a"], "seed": 1}, resume=True)
    assert again.get("a t=1", 0) == [[Drawn("Yes.", False)]]
