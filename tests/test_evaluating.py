"""`evaluate` on tiny models: who is asked and who judges, and that the numbers are those of the models."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import heedful
from heedful.cli import main
from heedful.errors import DataError, JudgeError, ModelError, RecipeError
from heedful.evaluating import Evaluation, evaluate
from heedful.evaluating.cast import Cast, cast, origin, template_of
from heedful.evaluating.judged import ask_judges
from heedful.evaluating.look import Looked, Settings, look
from heedful.evaluation import generation
from heedful.evaluation.generation import Sampling
from heedful.evaluation.subject import Subject
from heedful.judges import Question, Verdict
from heedful.judges.scores import ScoreJudge
from heedful.models import fingerprints
from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.models.rewards import FunctionReward
from heedful.records import Demonstration, Message, Preference, Prompt, assistant, user
from heedful.report.data import Drift, Waiting
from heedful.training.tracking import Reporter
from tests import tiny
from tests.cli.command import pairs, quick

PROMPTS = [Prompt((user(f"what is {number}?"),)) for number in range(6)]
QUIET = Reporter(quiet=True)
FEW: dict[str, Any] = {"max_new_tokens": 6, "temperature": 1.0, "prompts": 6, "quiet": True}


class ByHash:
    """A judge with a taste of its own that nothing explains: of two texts always the same one."""

    name, symmetric = "by hash", False

    def __call__(self, questions: Sequence[Question], on_done: Any = None) -> list[Verdict]:
        def taste(text: str) -> int:
            return int(fingerprints.combined([text])[:8], 16)

        return [Verdict("first" if taste(one.first) < taste(one.second) else "second") for one in questions]


class Absent:
    """A judge that is not there until `there`."""

    name, symmetric = "absent", True

    def __init__(self) -> None:
        self.there = False

    def __call__(self, questions: Sequence[Question], on_done: Any = None) -> list[Verdict]:
        if not self.there:
            raise JudgeError("nobody is there.", where="judge absent", mend="Wait.")
        return [Verdict("tie")] * len(questions)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts the models were asked, chunk by chunk."""
    found: list[int] = []
    ask = generation._ask

    def counted(voice: Any, chunk: Any, *rest: Any) -> Any:
        found.append(len(chunk))
        return ask(voice, chunk, *rest)

    monkeypatch.setattr(generation, "_ask", counted)
    return found


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that are loaded."""
    found: list[str] = []

    def counted(name: str, **options: Any) -> Backbone:
        found.append(name)
        return load(name, **options)

    monkeypatch.setattr("heedful.models.loading.load", counted)
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("tiny") / "model"))


def trained(model: str, folder: Path, *settings: str, stage: str = "dpo") -> str:
    """A run of two steps, as large as it takes to be heard."""
    data = pairs(folder.parent / "pairs.jsonl")
    options = quick(Path(model), data, folder, "training.learning_rate=0.05", *settings)
    assert main([stage, "--quiet", *options]) == 0
    return str(folder)


def ask(
    model: Backbone | str, *baselines: Backbone | str, prompts: Sequence[Prompt] = PROMPTS, **how: Any
) -> Looked:
    """What the models answer, with nobody to judge it."""
    sampling = Sampling(**{"max_new_tokens": 6, "temperature": 1.0, **how})
    return look(cast(model, baselines), prompts, [], Settings(sampling, 64, len(prompts)), QUIET, beta=1.0)


def drift_of(found: Drift | None) -> Drift:
    assert found is not None
    return found


def nats(found: Looked) -> float:
    """The sequence KL."""
    divergence = drift_of(found.drift).divergence
    assert divergence is not None
    return divergence.per_answer.value


@pytest.fixture(scope="module")
def run(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(model, tmp_path_factory.mktemp("run") / "dpo")


@pytest.fixture(scope="module")
def other(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(model, tmp_path_factory.mktemp("other") / "dpo", "training.seed=1", "lora.rank=4")


@pytest.fixture(scope="module")
def whole(run: str, other: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluation]:
    """An evaluation against two baselines by two judges, two samples to each of six prompts."""
    data = pairs(tmp_path_factory.mktemp("whole") / "pairs.jsonl", 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEEDFUL_CACHE", str(data.parent / "cache"))
        judges = [ByHash(), ScoreJudge(FunctionReward(lambda prompts, texts: [len(text) for text in texts]))]
        shown = [Demonstration(prompt.prompt, (assistant("the answer is 1"),)) for prompt in PROMPTS[:3]]
        yield evaluate(
            run,
            baseline=[other, str(origin(run))],
            data=data,
            judges=judges,
            demonstrations=shown,
            samples=2,
            **FEW,
        )


def test_every_judge_compares_the_model_with_every_baseline_and_the_counts_add_up(whole: Evaluation) -> None:
    page = whole.data
    assert page.subject == page.stages[-1]
    baselines, (first, second) = page.stages[:-1], dict.fromkeys(one.judge for one in page.comparisons)
    assert [(one.judge, one.baseline) for one in page.comparisons] == [
        (judge, baseline) for judge in (first, second) for baseline in baselines
    ]
    assert [one.both_orders for one in page.comparisons] == [True, True, False, False]
    for one in page.comparisons:
        assert one.wins is not None
        assert one.controlled is not None
        assert len(one.duels) == 12 == one.wins.n + one.wins.undecided == one.controlled.n
        assert one.wins.wins + one.wins.ties + one.wins.losses == one.wins.n
        assert one.wins.prompts == 6
        assert one.wins.value == (one.wins.wins + one.wins.ties / 2) / 12
        answers = {answer.text for answer in whole.answers[page.subject]}
        assert all(duel.answer in answers for duel in one.duels)
    assert {name: len(own) for name, own in whole.answers.items()} == dict.fromkeys(page.stages, 12)


def test_a_judge_that_scores_shows_how_the_scores_of_whole_answers_lie(whole: Evaluation) -> None:
    (scores,) = whole.data.scores.values()
    assert list(scores) == whole.data.stages
    for stage, found in scores.items():
        of = {
            prompt.prompt: [a for a in whole.answers[stage] if a.prompt == prompt.prompt]
            for prompt in PROMPTS
        }
        ended = [[len(answer.text) for answer in own if answer.ended] for own in of.values()]
        expected = [np.mean(own) if own else math.nan for own in ended]
        assert found.scores.tolist() == pytest.approx(expected, nan_ok=True)


def test_sequence_kl_and_forgetting_are_those_of_a_plain_forward_pass(whole: Evaluation, run: str) -> None:
    backbone = load(str(origin(run)))
    drift = drift_of(whole.data.drift)
    assert drift.divergence is not None
    assert drift.forgetting is not None

    def logp(folded: Backbone, prompt: Sequence[Message], ids: Sequence[int]) -> float:
        text = folded.tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.content} for m in prompt],
            tokenize=False,
            add_generation_prompt=True,
        )
        before = folded.tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits: Tensor = folded.model(torch.tensor([[*before, *ids]])).logits[0]
        rows = logits.log_softmax(-1)[len(before) - 1 : -1]
        return float(rows[torch.arange(len(ids)), torch.tensor(ids)].sum())

    answers = whole.answers[whole.data.subject]
    reference = [logp(backbone, answer.prompt, answer.ids) for answer in answers]
    shown = backbone.tokenizer("the answer is 1<|im_end|>", add_special_tokens=False)["input_ids"]
    before = [logp(backbone, prompt.prompt, shown) for prompt in PROMPTS[:3]]
    policy_backbone = load(run)
    policy = [logp(policy_backbone, answer.prompt, answer.ids) for answer in answers]
    after = [logp(policy_backbone, prompt.prompt, shown) for prompt in PROMPTS[:3]]

    assert drift.divergence.n == 12
    assert drift.divergence.per_answer.value == pytest.approx(np.mean(policy) - np.mean(reference), abs=1e-3)
    assert drift.forgetting.n == 3
    change = -(sum(after) - sum(before)) / (3 * len(shown))
    assert drift.forgetting.change.value == pytest.approx(change, abs=1e-4)


def test_the_implicit_reward_is_over_the_reference_and_in_the_runs_beta(whole: Evaluation) -> None:
    page, drift = whole.data, drift_of(whole.data.drift)
    assert drift.implicit is not None
    assert (drift.beta, drift.implicit.n) == (0.1, 6)
    (row,) = [row for row in page.accuracy if drift.reference in row.label]
    assert (row.stage, row.value) == (page.subject, drift.implicit.accuracy.value)


def test_what_is_written_holds_every_answer_and_verdict_and_no_number_that_is_none(
    whole: Evaluation, tmp_path: Path
) -> None:
    folder = whole.write(tmp_path / "out")
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert Counter((one["model"], one["sample"]) for one in answers) == {
        (stage, sample): 6 for stage in whole.data.stages for sample in (0, 1)
    }
    verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    found = json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)
    for one in found["comparisons"]:
        own = [
            v["outcome"] for v in verdicts if (v["judge"], v["baseline"]) == (one["judge"], one["baseline"])
        ]
        assert len(own) == one["asked"]
        assert np.mean(own) == pytest.approx(one["win_rate"]["value"])
        assert (one["finding"] == "better") == (one["win_rate"]["low"] > 0.5)
    assert found["verdict"] == found["verdicts"][0]
    assert [one["part"] for one in found["models"]] == ["model", "baseline", "baseline"]
    assert "seed" in found["drift"]["sequence_kl"]["nats_per_answer"]


def test_every_key_of_the_summary_is_described(whole: Evaluation, tmp_path: Path) -> None:
    from heedful.report import evaluation_json

    described = {
        name.strip(",")
        for line in str(evaluation_json.__doc__).splitlines()
        if line.startswith("    ") and not line.startswith("     ")
        for name in line[:23].split()
    }
    folder = whole.write(tmp_path / "out")
    assert set(json.loads((folder / "summary.json").read_text())) - described == set()


def test_the_code_of_the_model_card_loads_the_model(whole: Evaluation, run: str, tmp_path: Path) -> None:
    def loads(card: str) -> Any:
        names: dict[str, Any] = {}
        exec(card.split("```python\n")[1].split("```")[0], names)
        return names["model"]

    card = (whole.write(tmp_path / "out") / "model_card.md").read_text()
    assert type(loads(card)).__name__ == "PeftModelForCausalLM"
    assert whole.data.subject in card

    base = evaluate(str(origin(run)), baseline=run, data=PROMPTS, **FEW)
    card = (base.write(tmp_path / "base") / "model_card.md").read_text()
    assert type(loads(card)).__name__ == "LlamaForCausalLM"


def test_adapters_over_one_base_share_its_weights(
    run: str, other: str, model: str, loaded: list[str]
) -> None:
    ask(run, other, model)
    assert len(loaded) == 1


def test_what_a_run_was_trained_over_is_the_weights_below_it(
    run: str, tmp_path: Path, loaded: list[str]
) -> None:
    second = trained(run, tmp_path / "second")
    found = ask(second)
    assert loaded == [str(Path(run) / "adapter")]
    assert list(found.stages) == [run, second]
    assert nats(found) > 0


def test_what_is_kept_is_not_asked_again_and_a_changed_adapter_is(
    model: str, tmp_path: Path, asked: list[int]
) -> None:
    own = trained(model, tmp_path / "own")
    before = ask(own)
    assert asked == [6, 6]  # the model and what it was trained from
    again = ask(own)
    assert asked == [6, 6]
    assert [one.answers for one in again.stages.values()] == [one.answers for one in before.stages.values()]

    weights = Path(own) / "adapter" / "adapter_model.safetensors"
    changed = {name: -tensor if "lora_B" in name else tensor for name, tensor in load_file(weights).items()}
    save_file(changed, weights, {"format": "pt"})
    after = ask(own)
    assert asked == [6, 6, 6]
    assert after.stages[model].answers == before.stages[model].answers
    assert after.stages[own].answers != before.stages[own].answers


def test_a_backbone_that_is_trained_further_is_asked_anew(asked: list[int]) -> None:
    backbone, other = tiny.backbone("llama"), tiny.backbone("llama", seed=1)
    backbone.train_lora(rank=2)
    assert nats(ask(backbone, other)) == 0  # of an adapter that changes nothing yet
    assert asked == [6, 6]
    with torch.no_grad():
        for weight in backbone.trainable().values():
            weight.add_(0.3)
    assert nats(ask(backbone, other)) > 0
    assert asked == [6, 6, 6]


def test_answers_at_temperature_0_are_no_draws_and_the_divergence_has_some_of_its_own(run: str) -> None:
    greedy, drawn = ask(run, temperature=0.0), ask(run)
    assert greedy.stages[run].answers != drawn.stages[run].answers
    assert drift_of(greedy.drift).divergence == drift_of(drawn.drift).divergence


def test_a_model_against_itself_greedily_answers_the_same(model: str) -> None:
    found = ask(model, model, temperature=0.0)
    again = f"{model}, again"
    (comparison,) = ask_judges([ByHash()], again, found.stages, QUIET).comparisons
    assert comparison.wins is not None
    assert (comparison.wins.ties, comparison.wins.finding) == (6, "no difference")


def test_a_model_against_itself_is_no_better_over_twenty_seeds() -> None:
    backbone, found = tiny.backbone("llama"), Counter[str]()
    prompts = [Prompt((user(f"what is {number}?"),)) for number in range(24)]
    for seed in range(20):
        looked = ask(backbone, backbone, prompts=prompts, seed=seed, max_new_tokens=3)
        (one,) = ask_judges([ByHash()], f"{backbone.name}, again", looked.stages, QUIET).comparisons
        assert one.wins is not None
        assert one.wins.ties < 12  # the two drew for themselves
        found[one.wins.finding] += 1
    # Intervals of 95%: of 20 one is expected outside, and more than three once in fifty times.
    assert found["no difference"] >= 17


def test_a_judge_that_is_not_there_keeps_nobody_waiting_and_is_asked_when_it_is(
    run: str, model: str, asked: list[int]
) -> None:
    absent = Absent()
    found = ask_judges([absent, ByHash()], run, ask(run).stages, QUIET)
    assert [one.judge for one in found.comparisons] == ["by hash"]
    assert found.waiting == [Waiting("absent", model, "nobody is there. Wait.")]
    absent.there = True
    before = len(asked)
    found = ask_judges([absent, ByHash()], run, ask(run).stages, QUIET)
    assert [one.judge for one in found.comparisons] == ["absent", "by hash"]
    assert (found.waiting, len(asked)) == ([], before)


def test_a_reference_that_reads_texts_otherwise_is_none_to_measure_by() -> None:
    one, other = tiny.backbone("llama"), tiny.backbone("llama", seed=1)
    model, reference = Subject.held("a", one, "reference"), Subject.held("b", other, "reference")
    settings = Settings(Sampling(4, 1.0), 64, 6)
    who = Cast(model, [reference], reference)
    assert look(who, PROMPTS, [], settings, QUIET, beta=1.0).drift is not None
    other.tokenizer.chat_template = tiny.CHATML.replace("assistant", "model")
    who = Cast(model, [reference], Subject.held("b", other, "reference"))
    assert look(who, PROMPTS, [], settings, QUIET, beta=1.0).drift is None


def test_a_fully_trained_run_is_compared_with_what_it_began_as(model: str, tmp_path: Path) -> None:
    full = trained(model, tmp_path / "full", "training.method=full", "training.learning_rate=0.01")
    assert origin(full) == model
    found = ask(full)
    assert list(found.stages) == [model, full]
    assert nats(found) > 0


def test_prompts_are_rendered_as_the_run_was_trained(model: str, tmp_path: Path) -> None:
    raw = trained(model, tmp_path / "raw", "data.template=raw")
    assert (template_of(raw), template_of(model)) == ("raw", "auto")
    (ids,) = tiny.tokenizer()(["what is 0?"], add_special_tokens=False)["input_ids"]
    assert [one.voice().encoded(PROMPTS[0].prompt) for one in cast(raw, []).order] == [ids, ids]


def test_prompts_that_a_model_cannot_answer_are_counted_and_compared_by_nobody(model: str) -> None:
    long = Prompt((user("the cat " * 600),))
    baseline = tiny.backbone("llama", seed=1)
    found = evaluate(model, baseline=baseline, data=[*PROMPTS[:3], long], judges=[ByHash()], **FEW)
    (comparison,) = found.data.comparisons
    assert len(comparison.duels) == 3
    left_out = {stage: {"no_room": 1} for stage in found.data.stages}
    assert found.made.prompts == {"held_out": 4, "asked": 4, "unanswered": left_out}
    assert sum("cannot answer 1 of the prompts" in note for note in found.data.notes) == 2


def test_bad_input_is_worded(run: str, model: str) -> None:
    pair = Preference((user("what is 0?"),), (assistant("a"),), (assistant("b"),))
    with pytest.raises(RecipeError, match="prompts: must be at least 1, not 0"):
        evaluate(run, data=[pair], **{**FEW, "prompts": 0})
    with pytest.raises(ModelError, match="this baseline is named twice"):
        evaluate(run, data=[pair], baseline=[model, model], **FEW)
    with pytest.raises(JudgeError, match="by hash: this judge is named twice"):
        evaluate(run, data=[pair], judges=[ByHash(), ByHash()], **FEW)
    with pytest.raises(ModelError, match="it can answer none of 1 prompts"):
        evaluate(run, data=[Prompt((user("the cat " * 600),))], **FEW)
    with pytest.raises(DataError, match="there is nothing to compare with"):
        evaluate(model, data=[pair], **FEW)
    with pytest.raises(DataError, match="there is no demonstration to evaluate on"):
        evaluate(run, data=[pair], demonstrations=[pair], **FEW)
    assert heedful.evaluate is evaluate
