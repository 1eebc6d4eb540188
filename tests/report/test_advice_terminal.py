"""Advice on a terminal and off it: what is first, what is marked, and text that could drive a terminal."""

from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from heedful.advice.facts import Facts, RewardFacts
from heedful.advice.rules import decide
from heedful.report.advice_terminal import summary
from tests.advice import made


def shown(facts: Facts, *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80, color_system=None)
    summary(decide(facts), facts, ("a part of it",), console)
    return stream.getvalue()


def test_the_road_is_the_first_line_and_the_roads_are_marked() -> None:
    costs = made.costs(16, sft=1.2, dpo=1.4, ppo=40, dpo_ppo=40)
    told = shown(made.facts(model=made.UNABLE, costs=costs), terminal=False)
    assert told.splitlines()[0] == "SFT, then DPO"
    assert "  SFT  1.2 GB  first\n  DPO  1.4 GB  advised\n  PPO  40.0 GB  does not fit" in told
    assert told.rstrip().endswith("Looked at: a part of it.")


def test_what_is_not_sure_is_said_at_the_top() -> None:
    told = shown(made.facts(model=replace(made.READY, good_above_own=made.gap(1.02, 0.2))), terminal=False)
    assert "too close to their thresholds to be sure" in told.splitlines()[1]


def test_a_terminal_gets_wrapped_text_and_a_program_whole_lines() -> None:
    facts = made.facts()
    assert max(map(len, shown(facts, terminal=True).splitlines())) <= 80
    (reason,) = (one for one in decide(facts).reasons if one.rule == "pairs")
    assert f"  {reason.words}\n" in shown(facts, terminal=False)


def test_names_cannot_drive_a_terminal() -> None:
    reward = RewardFacts("\x1b[31m[bold]evil", made.share(0.9, 16), made.share(0.9))
    for terminal in (True, False):
        told = shown(made.facts(reward=reward), terminal=terminal)
        assert "\x1b[31m" not in told
        assert "[bold]evil" in told
