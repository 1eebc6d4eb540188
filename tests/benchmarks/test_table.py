"""Claims about the table: its figures come from result files, and only where both sides ran."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import plan_table, table
from benchmarks.measure import Figures


def numbers(speed: float, peak: float, accuracy: float | None = None) -> dict[str, Any]:
    return vars(Figures(speed, speed * 500, 4 / speed, 0.1, int(peak * 1e9), int(1e9), accuracy))


def report(
    date: str = "2026-01-02", cpu: str = "Some CPU", precision: str = "fp32", **figures: Any
) -> dict[str, Any]:
    return {
        "date": date,
        "precision": precision,
        "machine": {
            "cpu": cpu,
            "cores": 2,
            "gpu": None,
            "matmul_gflops": {"fp32": 108.2, "bf16": 1.1},
            "versions": {"torch": "2.13.0", "trl": "1.16.0"},
        },
        "settings": {"model": "smollm2-135m", "lora_rank": 16, "batch_size": 4, "max_length": 512},
        "figures": figures
        or {
            "trl dpo-default": numbers(0.1, 10),
            "heedful dpo": numbers(0.5, 4),
            "trl dpo-best": numbers(0.2, 8),
        },
    }


def test_a_row_gives_both_sides_and_their_ratio() -> None:
    rows = table.render([report()]).splitlines()
    assert rows[-2] == (
        "| DPO, TRL as it comes | 0.100 pairs/s | 0.500 pairs/s | **5.0×** | 10.0 GB | 4.0 GB | **0.40×** |"
    )
    assert rows[-1] == (
        "| DPO, TRL at its best | 0.200 pairs/s | 0.500 pairs/s | **2.5×** | 8.0 GB | 4.0 GB | **0.50×** |"
    )


def test_the_machine_its_precision_and_the_versions_are_named() -> None:
    first = table.render([report()]).splitlines()[0]
    assert "Some CPU, 2 cores, fp32 (matrix product 108 GFLOP/s)" in first
    assert "TRL 1.16.0" in first
    assert "2026-01-02" in first


def test_a_job_measured_on_one_side_only_is_left_out() -> None:
    alone = report(
        **{"trl sft-best": numbers(1, 2), "heedful dpo": numbers(1, 2), "trl dpo-best": numbers(1, 2)}
    )
    assert [(kind, variant) for kind, variant, *_ in table.compare(alone)] == [("dpo", "best")]


def test_the_newest_report_of_a_machine_and_precision_wins() -> None:
    old, new = report("2026-01-02"), report("2026-02-01")
    other, half = report("2026-01-01", cpu="Other CPU"), report("2026-01-03", precision="bf16")
    found = list(table.latest([new, other, old, half]))
    assert found == [(new, ["dpo"]), (half, ["dpo"]), (other, ["dpo"])]


def test_a_newer_report_of_another_kind_leaves_the_older_one_standing() -> None:
    reward = {"trl reward-best": numbers(1, 2), "heedful reward": numbers(2, 1)}
    both = report("2026-01-02", **reward, **report()["figures"])
    alone = report("2026-02-01", **reward)
    assert list(table.latest([both, alone])) == [(alone, ["reward"]), (both, ["dpo"])]


def test_a_reward_models_speed_stands_with_what_it_has_right() -> None:
    found = report(**{"trl reward-best": numbers(0.5, 4, 0.5625), "heedful reward": numbers(1.5, 1, 15 / 32)})
    found["settings"]["held_out"] = 32
    peer, ours = "18 of 32 right (39 to 72%)", "15 of 32 right (31 to 64%)"
    assert table.render([found]).splitlines()[-1] == (
        f"| Reward model, TRL at its best | 0.500 pairs/s, {peer} | 1.500 pairs/s, {ours} "
        "| **3.0×** | 4.0 GB | 1.0 GB | **0.25×** |"
    )
    assert next(iter(table.ratios(found))).endswith(f"{ours} against {peer}")


def test_an_accuracy_of_unknown_pairs_has_no_interval_and_repeats_have_a_mean_count() -> None:
    found = report(**{"trl reward-best": numbers(0.5, 4, 0.5625), "heedful reward": numbers(1.5, 1, 31 / 64)})
    assert "0.500 pairs/s, 56% right | 1.500 pairs/s, 48% right |" in table.render([found])
    found["settings"]["held_out"] = 32
    assert "1.500 pairs/s, 15.5 of 32 right (32 to 65%) |" in table.render([found])


def test_ppo_has_a_table_of_its_own() -> None:
    found = report(**{"trl ppo-default": numbers(0.1, 10), "heedful ppo": numbers(0.4, 3)})
    found["settings"] = {
        "model": "m",
        "lora_rank": 16,
        "episodes": 16,
        "prompt_tokens": 96,
        "new_tokens": 48,
        "inner_epochs": 4,
    }
    lines = table.render_ppo([found]).splitlines()
    assert "16 episodes an iteration, prompts of at most 96 tokens and 48 new ones, 4 passes" in lines[0]
    assert lines[-1] == (
        "| PPO, TRL as it comes | 0.100 episodes/s | 0.400 episodes/s | **4.0×** "
        "| 10.0 GB | 3.0 GB | **0.30×** |"
    )


def test_only_what_stands_between_the_markers_changes() -> None:
    page = f"# Title\n\n{table.BEGIN}\nold\n{table.END}\n\nmore\n"
    assert table.splice(page, "new") == f"# Title\n\n{table.BEGIN}\nnew\n{table.END}\n\nmore\n"


def test_splicing_twice_changes_nothing() -> None:
    once = table.splice(f"a {table.BEGIN}{table.END} b", "body")
    assert table.splice(once, "body") == once


@pytest.mark.parametrize(
    "page", ["none", table.BEGIN, f"{table.END}{table.BEGIN}", (table.BEGIN + table.END) * 2]
)
def test_a_page_without_one_pair_of_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="benchmark:begin"):
        table.splice(page, "body")


def test_the_command_rewrites_the_page_from_result_files(tmp_path, monkeypatch) -> None:
    import json

    (tmp_path / "one.json").write_text(json.dumps(report()))
    page = tmp_path / "README.md"
    page.write_text(f"{table.BEGIN}\n{table.END}\n")
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    table.main([str(page)])
    assert "**5.0×**" in page.read_text()


def test_ratios_read_as_sentences() -> None:
    assert next(iter(table.ratios(report()))) == (
        "DPO against TRL as it comes: 5.00x the speed, 0.40x the peak memory"
    )


def test_peaks_stand_beside_how_far_predictions_were_off() -> None:
    def run(size: str, kind: str, peak: float, said: float) -> dict[str, Any]:
        return {"size": size, "kind": kind, "peak_bytes": peak, "predicted": {"peak_bytes": said}}

    found = {
        "date": "2026-01-02",
        "machine": {"cpu": "Some CPU"},
        "precision": "fp32",
        "settings": {"batch_size": 8, "prompt_tokens": 96, "response_tokens": 48},
        "runs": [
            run("20M", "SFT, LoRA", 2e9, 2.2e9),
            run("135M", "SFT, LoRA", 4e9, 3.6e9),
            run("135M", "PPO, LoRA", 5e9, 5e9),
        ],
    }
    text = plan_table.render_memory(found)
    assert "was off: -10% to +10%." in text
    assert text.splitlines()[-4:] == [
        "| run | 20M | 135M |",
        "| --- | --- | --- |",
        "| SFT, LoRA | 2.00 GB (+10%) | 4.00 GB (-10%) |",
        "| PPO, LoRA |  | 5.00 GB (+0%) |",
    ]


def test_durations_stand_beside_what_was_predicted_for_them() -> None:
    found = {
        "date": "2026-01-02",
        "machine": {"cpu": "Some CPU", "cores": 2},
        "runs": [{"kind": "DPO", "seconds": 100.0, "predicted_seconds": 80.0, "off": 0.25}],
    }
    assert plan_table.render_duration(found).splitlines()[-1] == "| DPO | 100 s | 80 s ± 25% | -20% |"


def test_sampling_is_told_by_its_medians() -> None:
    found = {
        "date": "2026-01-02",
        "machine": {"cpu": "Some CPU"},
        "precision": "fp32",
        "settings": {"prompts": 64, "prompt_tokens": 64, "new_tokens": 48},
        "tokens_per_second": {"heedful": [100.0, 300.0, 200.0], "generate": [90.0, 100.0, 900.0]},
    }
    assert "200 tokens/s, 2.0 times `generate`" in table.render_sampling(found)
