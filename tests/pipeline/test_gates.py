"""Models that are not ready and data that are not clean go no further, unless they are told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful import formats
from heedful.advice.readiness import Judged, Readiness
from heedful.errors import DataError
from heedful.pipeline import ready
from heedful.records import Demonstration, Preference
from tests import pipelines
from tests.pipelines import go, refused


def test_a_model_that_is_not_ready_is_not_aligned_unless_told_to(work: Path) -> None:
    message = refused("readiness=check")
    assert message.startswith("stage readiness: out/sft cannot do the task well enough to be aligned: 0%")
    assert (
        "of its own answers end by themselves within 32 tokens at temperature 1; at least 80% should"
        in message
    )
    assert message.endswith("Give SFT more to learn from, or align it all the same with readiness=skip.")
    assert not Path("out/dpo").exists()
    # It is known now, and said at once.
    before = pipelines.stamps(work / "out")
    assert refused("readiness=check") == message
    assert pipelines.stamps(work / "out") == before
    assert go() == ["dpo", "evaluate", "report"]


def test_a_model_that_is_ready_is_aligned(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def check(model: Any, records: list[Any], **options: Any) -> Any:
        asked.append((model.name, [type(one) for one in records], options["max_length"]))
        assert options["temperature"] == 1
        return Readiness(())

    monkeypatch.setattr(ready, "check_readiness", check)
    assert go("readiness=check", "dpo.data.max_length=99")[2:4] == ["sft", "readiness"]
    # On what is held out, which SFT has not seen.
    assert asked == [("out/sft", [Preference, Preference, Demonstration, Demonstration], 99)]


def test_before_ppo_it_is_asked_at_the_temperature_that_ppo_samples_at(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def check(*_: Any, temperature: float, **__: Any) -> Any:
        asked.append(temperature)
        return Readiness((Judged("ends", passed=False, sure=True, words="It does not end."),))

    monkeypatch.setattr(ready, "check_readiness", check)
    how = {"stages": ("sft", "reward", "ppo")}
    refused("readiness=check", "ppo.rollout.temperature=0.75", **how)
    assert "0.5" in refused("readiness=check", "ppo.rollout.temperature=0.5", **how)
    refused("readiness=check", "ppo.rollout.temperature=0.5", redo=("readiness",), **how)
    assert asked == [0.75, 0.5]


@pytest.mark.slow
def test_without_sft_the_model_itself_has_to_be_ready(work: Path) -> None:
    message = refused("readiness=check", "data.demonstrations=null", stages=("dpo",))
    assert message.startswith("stage readiness: model cannot do the task")
    assert message.endswith("Show it the task first, by sft, or align it all the same with readiness=skip.")


def test_sft_alone_passes_no_gate(work: Path) -> None:
    assert "readiness" not in go("readiness=check", stages=("sft",))


def test_data_that_are_not_clean_are_refused_and_shown(work: Path) -> None:
    clean = pipelines.pairs(16)
    broken = Preference(clean[0].prompt, clean[0].rejected, clean[0].chosen, id="turned")
    formats.write([*clean, broken], "pairs.jsonl")
    message = refused("check=error", kind=DataError)
    assert message.startswith("data.preferences: the data are not clean. error: ")
    assert "See out/check/preferences.html; mend the data, or train all the same with check=off." in message
    assert Path("out/check/preferences.html").exists()
    assert not Path("out/sft").exists()
    assert refused("check=error", kind=DataError) == message
