"""Claims about the order of work and about precision: both sides get the same luck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import parse
from benchmarks.machine import choose_precision, slug
from benchmarks.ppo import peer_version
from benchmarks.session import plan, write


def machine(gpu: str | None = None, **flags: bool) -> dict[str, Any]:
    return {
        "cpu": "AMD EPYC",
        "cores": 2,
        "gpu": gpu,
        "flags": {"avx512_bf16": False, "amx_bf16": False, **flags},
    }


def test_sides_alternate_and_repeat() -> None:
    once = [("trl", "dpo-default"), ("heedful", "dpo"), ("trl", "dpo-best")]
    assert list(plan(parse(["--repeats", "2"]), ["dpo"])) == once * 2


def test_each_side_can_be_measured_alone() -> None:
    assert list(plan(parse(["--peer"]), ["sft"])) == [("heedful", "sft")]
    alone = plan(parse(["--no-heedful"]), ["sft"])
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


def test_a_report_of_some_kinds_has_a_file_of_its_own(tmp_path: Path) -> None:
    report = {"date": "2026-01-02", "machine": machine(), "precision": "fp32"}
    whole, part = write(report, tmp_path), write(report, tmp_path, "reward")
    assert whole.name == "2026-01-02-amd-epyc-2-cores-fp32.json"
    assert part.name == "2026-01-02-amd-epyc-2-cores-fp32-reward.json"


def test_the_peers_release_is_read_from_its_own_folder(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="pip install --no-deps --target"):
        peer_version(tmp_path)
    metadata = tmp_path / "trl-1.9.2.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: trl\nVersion: 1.9.2\n")
    assert peer_version(tmp_path) == "1.9.2"
