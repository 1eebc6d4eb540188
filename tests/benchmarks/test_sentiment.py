"""Claims about the sentiment study: who is compared with whom, and what is left out, counted and drawn."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sentiment import figure, over_optimisation, pairs, results, tables, task
from benchmarks.sentiment.measure import Policy, distinct, policies, summary
from benchmarks.sentiment.study import Study, method_of, run_name, status_of
from heedful.training.run_folder import RunFolder

SENTENCES = [f"a film number {n} is far too long to be good" for n in range(2000)]


def study(folder: Path) -> Study:
    return Study(folder, folder, "model", dict(task.SIZES))


def test_no_sentence_is_in_two_parts_and_sizes_do_not_move_them() -> None:
    small = task.parts(SENTENCES, test=2, validation=2, sft=2, prompts=2)
    large = task.parts(SENTENCES, test=9999, validation=9999, sft=9999, prompts=9999)
    whole = [*large.test, *large.validation, *large.sft, *large.prompts]
    assert whole == SENTENCES
    assert small.prompts == large.prompts[:2]
    assert small.test == large.test[:2]


def test_a_demonstration_is_its_sentence_in_two() -> None:
    (found,) = task.demonstrations(["one of the best films , in fact ."])
    assert found.prompt[0].content == "one of the best"
    assert found.response[0].content == " films , in fact ."


def test_gold_reads_the_whole_sentence_and_knows_good_from_bad() -> None:
    pytest.importorskip("vaderSentiment")
    good, bad, same = task.gold(
        ["this film is", "this film is", "this film is"], [" wonderful", " awful", "wonderful"]
    )
    assert good > 0.5
    assert bad < -0.4
    assert same == good


def test_no_prompt_comes_twice(shared_data: Path) -> None:
    found = task.sentences(shared_data)
    prompts = [task.first_words(sentence) for sentence in found]
    assert len(set(prompts)) == len(prompts) > 9000


def test_the_higher_score_is_chosen_and_what_cannot_be_a_pair_is_counted() -> None:
    kept = pairs.label(
        ["one", "two"],
        [[" bad", " good", " same", " same"], [" good", " bad", "", " fine"]],
        [[-0.5, 0.5, 0.1, 0.1], [0.7, 0.2, 0.0, 0.3]],
    )
    assert [(pair.chosen[0].content, pair.rejected[0].content) for pair in kept] == [(" good", " bad")] * 2
    assert kept.counts.read == 4
    assert kept.counts.quarantined == {"tie": 1, "empty_response": 1}


def test_held_out_pairs_share_no_prompt_with_the_others() -> None:
    prompts = [f"prompt {n}" for n in range(16)]
    kept = pairs.label(prompts, [[" a", " b", " c", " d"]] * 16, [[0.0, 1.0, 1.0, 0.0]] * 16)
    train, held_out = pairs.split(kept, len(prompts))
    assert len(train) == 28
    assert {pair.prompt[0].content for pair in held_out} == {"prompt 14", "prompt 15"}


def test_a_policys_numbers_are_means_over_responses() -> None:
    found = summary(
        ["one", "one", "two", "two"],
        ["a b", "a b", "a c", ""],
        gold=[1.0, 0.0, 0.5, 0.5],
        kl=[2.0, 4.0, 6.0, 8.0],
        lengths=[3, 3, 3, 1],
        ended=[True, True, True, False],
        entropy=2.5,
    )
    assert found["gold"] == {"value": 0.5, "low": 0.5, "high": 0.5}  # each prompt's mean is the same
    assert found["kl"]["value"] == 5.0
    assert (found["kl"]["low"], found["kl"]["high"]) == (3.0, 7.0)
    assert (found["length"], found["ended"]) == (2.5, 0.75)
    assert found["prompts"] == 2


def test_distinct_counts_different_grams_over_all() -> None:
    assert distinct(["a b a", "a b"], 1) == pytest.approx(2 / 5)
    assert distinct(["a b a", "a b"], 2) == pytest.approx(2 / 3)
    assert distinct(["a"], 2) == 0.0


def test_a_runs_name_says_its_method() -> None:
    assert run_name("ppo-gold", beta=0.05, seed=3) == "ppo-gold-beta0.05-seed3"
    for method in tables.METHODS:
        for beta in (None, 0.1, 1e-5):
            assert method_of(run_name(method, beta=beta, seed=1)) == method


def made(folder: Path, status: str, *places: str) -> None:
    for place in places:
        (folder / place).mkdir(parents=True)
    RunFolder(folder).update(status=status)


def test_finished_runs_are_measured_where_they_end_and_on_their_way(tmp_path: Path) -> None:
    here = study(tmp_path)
    made(here.runs / "dpo-seed0", "finished", *(f"checkpoints/step-{n:06d}" for n in (0, 5, 10)))
    made(here.runs / "ppo-gold-seed0", "finished", "adapter", "checkpoints/step-000016")
    made(here.runs / "ppo-gold-seed1", "running", "checkpoints/step-000005")
    made(here.runs / "ppo-learned-seed0", "finished", "adapter", "checkpoints/step-000005")
    made(here.runs / "trl-dpo-seed0", "finished", "checkpoint-9", "checkpoint-10")
    assert [policy.name for policy in policies(here)] == [
        "sft",
        "dpo-seed0@5",
        "dpo-seed0@10",
        "ppo-gold-seed0",
        "ppo-learned-seed0",
        "ppo-learned-seed0@5",
        "trl-dpo-seed0@9",
        "trl-dpo-seed0@10",
    ]
    assert Policy("sft") in policies(here)


def test_a_finished_run_is_left_alone_and_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    here = study(tmp_path)
    asked: list[bool] = []

    def train(*, output: Path, resume: bool) -> None:
        asked.append(resume)
        output.mkdir(parents=True, exist_ok=True)
        RunFolder(output).update(status="running" if len(asked) == 1 else "finished")

    for _ in range(3):
        here.run(here.runs / "one", train)
    assert asked == [False, True]
    assert status_of(here.runs / "one") == "finished"


def _hold(folder: Path, held: Any, free: Any) -> None:
    def wait() -> None:
        held.set()
        free.wait(20)

    study(folder).once("step", lambda: False, wait)


def test_a_step_that_another_process_is_at_is_left_to_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    held, free = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, free))
    other.start()
    try:
        assert held.wait(20)
        made_here: list[int] = []
        study(tmp_path).once("step", lambda: False, lambda: made_here.append(1))
        assert made_here == []
    finally:
        free.set()
        other.join()
    study(tmp_path).once("step", lambda: False, lambda: made_here.append(1))
    assert made_here == [1]


def policy(run: str, gold: float, kl: float, step: int | None = None) -> dict[str, Any]:
    def spread(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.1, "high": value + 0.1}

    texts = [{"prompt": "a film", "response": " that  works", "gold": gold}]
    numbers = {"length": 20.0, "ended": 0.5, "entropy": 3.0, "distinct_2": 0.9}
    own = {"run": run, "step": step, "gold": spread(gold), "kl": spread(kl), "texts": texts}
    return {**own, **numbers, "prompts": 8, "responses": 16}


@pytest.fixture
def report() -> dict[str, Any]:
    iterations = [
        {"step": 1, "kl": 0.0, "reward": 0.1, "entropy": 3.0, "length": 20.0, "ended": 0.5},
        {"step": 2, "kl": 1.0, "reward": 0.4, "entropy": 3.0, "length": 20.0, "ended": 0.5},
    ]

    def run(method: str, beta: float, seed: int = 0, status: str = "finished") -> dict[str, Any]:
        own = {"method": method, "beta": beta, "seed": seed, "status": status, "steps": 2}
        return (
            {**own, "responses_a_step": 64, "iterations": iterations, "rollbacks": 0}
            if "ppo" in method
            else own
        )

    found = [
        policy("sft", 0.1, 0.0),
        policy("ppo-gold-seed0", 0.7, 4.0),
        policy("ppo-gold-seed1", 0.7, 12.0),
        policy("ppo-gold-beta0.2-seed0", 0.4, 1.0),
        policy("ppo-learned-seed0", 0.5, 3.0),
        policy("ppo-learned-seed0", 0.4, 2.0, step=5),
        policy("dpo-seed0", 0.3, 1.0, step=9),
        policy("dpo-seed0", 0.4, 2.0, step=10),
    ]
    return {
        "date": "2026-01-02",
        "machine": {"cpu": "Some CPU", "cores": 2, "gpu": None},
        "precision": "bf16",
        "settings": {"model": "m", "new_tokens": 24},
        "pairs": {"responses": 64, "pairs": 32, "left_out": {"tie": 4}, "train": 24, "held_out": 4},
        "reward": {"accuracy": 0.8, "accuracy/low": 0.7, "accuracy/high": 0.9},
        "runs": {
            "ppo-gold-seed0": run("ppo-gold", 0.05),
            "ppo-gold-seed1": run("ppo-gold", 0.05, 1),
            "ppo-gold-seed2": run("ppo-gold", 0.05, 2, "trainingstopped"),
            "ppo-gold-beta0.2-seed0": run("ppo-gold", 0.2),
            "ppo-learned-seed0": run("ppo-learned", 0.05),
            "dpo-seed0": run("dpo", 0.1),
        },
        "policies": {f"{one['run']}@{one['step']}" if one["step"] else one["run"]: one for one in found},
    }


def test_a_seed_counts_only_with_the_reward_at_a_small_kl(report: dict[str, Any]) -> None:
    page = tables.render(report)
    assert "1 of 3 seeds reach 0.6 at a KL of at most 10 nats" in page
    assert "| 2 | trainingstopped |" in page


def test_methods_are_compared_where_they_end(report: dict[str, Any]) -> None:
    found = [(run["method"], run["beta"], end["step"]) for run, end in tables.last_policies(report)]
    assert found == [
        ("ppo-gold", 0.05, None),
        ("ppo-gold", 0.05, None),
        ("ppo-gold", 0.2, None),
        ("ppo-learned", 0.05, None),
        ("dpo", 0.1, 10),
    ]
    assert "| DPO, seed 0 | 0.1 | 48 | 0.40 (0.30 to 0.50) | 2.0 (1.9 to 2.1) |" in tables.render(report)


def test_what_a_run_learned_from_is_counted_in_gold_scores(report: dict[str, Any]) -> None:
    runs = report["runs"]
    assert tables.scored(report, runs["ppo-gold-seed0"]) == 128
    assert tables.scored(report, runs["ppo-learned-seed0"]) == tables.scored(report, runs["dpo-seed0"]) == 48


def test_lines_follow_a_runs_checkpoints_and_gold_runs_their_iterations(report: dict[str, Any]) -> None:
    lines = {(line.method, line.beta): line for line in figure.frontier(report)}
    assert [point.gold[0] for point in lines["dpo", 0.1].points] == [0.3, 0.4]
    assert lines["dpo", 0.1].trail == lines["ppo-learned", 0.05].trail == ()
    assert lines["ppo-gold", 0.2].trail == ((0.0, 0.1), (1.0, 0.4))
    assert figure.by_iteration(report) == {seed: [(1, 0.1), (2, 0.4)] for seed in (0, 1, 2)}


def test_the_figure_is_a_picture(report: dict[str, Any], tmp_path: Path) -> None:
    figure.draw(report, tmp_path / "images" / "sentiment.png")
    assert (tmp_path / "images" / "sentiment.png").read_bytes().startswith(b"\x89PNG")


def test_runs_of_a_later_study_stand_beside_those_of_an_earlier_one(report: dict[str, Any]) -> None:
    run = report["runs"]["ppo-gold-seed0"]
    later = {
        **report,
        "date": "2026-02-03",
        "precision": "fp32",
        "runs": {"ppo-gold-seed0": run, "ppo-gold-beta1-seed0": {**run, "beta": 1.0}},
        "policies": {
            "sft": policy("sft", 0.15, 0.0),
            "ppo-gold-seed0": policy("ppo-gold-seed0", 0.9, 9.0),
            "ppo-gold-beta1-seed0": policy("ppo-gold-beta1-seed0", 0.2, 0.5),
        },
    }
    found = results.joined(report, later)
    assert found["policies"]["ppo-gold-seed0"] == report["policies"]["ppo-gold-seed0"]
    assert found["policies"]["sft"] == report["policies"]["sft"]
    assert ("ppo-gold", 1.0) in {(line.method, line.beta) for line in figure.frontier(found)}
    assert (
        "Made 2026-02-03 (Some CPU, fp32) from an SFT model made anew by the same settings, which earns "
        "0.15 (0.05 to 0.25): `ppo-gold-beta1-seed0`."
    ) in tables.render(found)
    assert "made anew" not in tables.render(report)


def test_studies_with_other_settings_are_not_put_together(report: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="other settings"):
        results.joined(report, {**report, "settings": {"model": "m", "new_tokens": 48}})


def test_noisy_labels_are_pairs_of_sentences_with_a_share_of_them_turned_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task, "gold", lambda prompts, texts: [float("good" in text) for text in texts])
    texts = [f"{word} {n}" for n in range(60) for word in ("bad", "good")] + ["good", "good"]

    found = over_optimisation.few_and_noisy(texts, count=50, flipped=0.1)

    assert [pair.id for pair in found] == [f"prompt-{n}-0" for n in range(50)]
    turned = [n for n, pair in enumerate(found) if pair.chosen[0].content == f" bad {n}"]
    assert len(turned) == 5
    assert all((found[n].rejected[0].content == f" good {n}") == (n in turned) for n in range(50))
    assert len(over_optimisation.few_and_noisy(texts, count=99, flipped=0.1)) == 60


def test_a_turn_is_told_with_its_points() -> None:
    def way(form: str, golds: list[float], turns: bool) -> dict[str, Any]:
        points = [
            {"name": f"{at}", "kl": float(at), "proxy": at / 2, "gold": gold, "gold_error": 0.01}
            for at, gold in enumerate(golds)
        ]
        peak = max(points, key=lambda point: point["gold"])
        curve = {"turn_at_root_kl": {"value": 2.0, "low": 1.0, "high": None if turns else 3.0}}
        own = {"name": "it", "form": form, "points": points, "peak": {"name": peak["name"], "kl": peak["kl"]}}
        return {**own, "gold_curve": curve, "fall": 0.4, "turn_established": turns}

    page = over_optimisation.render(
        {
            "date": "2026-01-02",
            "machine": {"cpu": "Some CPU", "cores": 2},
            "precision": "fp32",
            "settings": {
                "model": "m",
                "pairs": 128,
                "flipped": 0.25,
                "ppo": {"max_steps": 40, "batch_size": 32},
                "measured": {"samples": 2, "prompts": 128},
            },
            "proxy": {"pairs": 44, "accuracy": 0.57, "accuracy/low": 0.49, "accuracy/high": 0.65},
            "ways": [way("rl", [0.2, 0.5, -0.1], True), way("best of n", [0.2, 0.3], False)],
        }
    )

    assert "128 pairs of people's sentences, 25% of them turned round" in page
    assert "right on 57% (49% to 65%) of 44 held-out pairs" in page
    assert (
        "**PPO.** The gold reward is highest about a KL of 1.0 nats, smoothed over three points, and 0.40 "
        "lower at the last point, −0.10 at 2.0 nats, while the reward model's score goes from 0.00 to 1.00. "
        "**It turns.** Gao et al.'s curve turns at 4.0 nats (95% 1.0 to any)." in page
    )
    assert "| 2.0 | 1.00 | −0.10 ± 0.02 |" in page
    assert "is highest at the last point, 0.30 at 1.0 nats, while the reward model's score" in page
    assert "No turn is established. Gao et al.'s curve turns at 4.0 nats (95% 1.0 to 9.0)." in page
