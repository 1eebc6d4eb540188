"""Claims about the order of work and about precision: both sides get the same luck."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.__main__ import parse, plan
from benchmarks.machine import choose_precision, slug


def machine(gpu: str | None = None, **flags: bool) -> dict[str, Any]:
    return {
        "cpu": "AMD EPYC",
        "cores": 2,
        "gpu": gpu,
        "flags": {"avx512_bf16": False, "amx_bf16": False, **flags},
    }


def test_sides_alternate_and_repeat() -> None:
    once = [("trl", "dpo-default"), ("heedful", "dpo"), ("trl", "dpo-best")]
    assert list(plan(parse(["--kinds", "dpo", "--repeats", "2"]))) == once * 2


def test_each_side_can_be_measured_alone() -> None:
    assert list(plan(parse(["--kinds", "sft", "--peer"]))) == [("heedful", "sft")]
    alone = plan(parse(["--kinds", "sft", "--no-heedful"]))
    assert list(alone) == [("trl", "sft-default"), ("trl", "sft-best")]


@pytest.mark.parametrize(
    ("here", "precision"),
    [
        (machine(), "fp32"),
        (machine(avx512_bf16=True), "bf16"),
        (machine(amx_bf16=True), "bf16"),
        (machine(gpu="Some GPU"), "bf16"),
    ],
)
def test_auto_precision_is_bf16_only_where_it_is_native(here: dict[str, Any], precision: str) -> None:
    assert choose_precision("auto", here) == precision


def test_an_asked_for_precision_is_kept() -> None:
    assert choose_precision("bf16", machine()) == "bf16"


def test_a_machine_has_a_name_fit_for_files() -> None:
    assert slug(machine()) == "amd-epyc-2-cores"
