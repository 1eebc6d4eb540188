"""The backbone's own reward role, and when a reward model is put on the policy's weights or beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from heedful.errors import HeedfulError, ModelError, RewardError
from heedful.models.backbone import Backbone
from heedful.models.export import save_adapter
from heedful.models.loading import load
from heedful.models.rewards import BackboneReward, Reward, build, checked
from heedful.models.rewards.backbone import load_onto
from heedful.recipe import RewardSource
from heedful.records import Message, Messages, user
from heedful.render.chat import PLAIN_TEMPLATE, Renderer
from heedful.render.packing import pack
from heedful.render.rows import Row
from heedful.render.truncate import Limits
from tests import tiny

PROMPTS: list[Messages] = [
    (user("the cat"),),
    (Message("system", "be short"), user("what is the answer to this question")),
    (user("sat"),),
]
RESPONSES = ["sat on the mat", "", "to the house and the dog ran to the mat"]
LIMITS = Limits(max_length=200)
MEAN = 0.75


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tiny.save(tmp_path / "base"))


def loaded(name: str) -> Backbone:
    return load(name, dtype="float32", device="cpu")


def shake(backbone: Backbone, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)


def rewarding(backbone: Backbone, *, seed: int = 0, dropout: float = 0.0) -> Backbone:
    """A backbone with a reward role that says something."""
    backbone.train_lora("reward", rank=4, alpha=8, dropout=dropout)
    head = backbone.add_head("reward", seed=seed)
    shake(backbone, seed)
    head.offset.fill_(MEAN)
    return backbone


def file_reward(backbone: Backbone, folder: Path, **record: str) -> Path:
    """File the reward role as training does; `record` is said beside its mean."""
    folder.mkdir(parents=True)
    assert backbone.peft is not None
    state = get_peft_model_state_dict(backbone.peft, adapter_name="reward")
    state["base_model.model.score.weight"] = backbone.heads["reward"].weight.detach()
    save_file(
        {name: tensor.contiguous() for name, tensor in state.items()}, folder / "adapter_model.safetensors"
    )
    config = backbone.peft.peft_config["reward"].to_dict()
    config |= {
        "task_type": "SEQ_CLS",
        "modules_to_save": ["score"],
        "base_model_name_or_path": backbone.lineage[-1] if backbone.lineage else backbone.base,
        "target_modules": sorted(config["target_modules"]),
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, default=str))
    (folder / "heedful_reward.json").write_text(json.dumps({"mean": MEAN, "std": 2.0, **record}))
    backbone.tokenizer.save_pretrained(folder)
    return folder


def file_run(folder: Path, stage: str = "reward") -> None:
    (folder / "run.json").write_text(json.dumps({"stage": stage}))


def of(backbone: Backbone) -> BackboneReward:
    return BackboneReward(backbone, Renderer(backbone.tokenizer), LIMITS)


def scores(reward: Reward) -> Tensor:
    found = checked(reward, PROMPTS, RESPONSES)
    assert found.std() > 0.05
    return found


def built(backbone: Backbone, model: Path | str, renderer: Renderer | None = None) -> Reward:
    source = RewardSource(model=str(model))
    return build(
        [source], backbone=backbone, renderer=renderer or Renderer(backbone.tokenizer), limits=LIMITS
    )


def is_shared(reward: Reward, backbone: Backbone) -> bool:
    assert isinstance(reward, BackboneReward)
    return reward.backbone is backbone


def logps(backbone: Backbone, role: str) -> Tensor:
    (packed,) = pack([Row("a", [5, 6, 7, 8], ([9, 10, 11], [12, 13]))], 1000)
    with torch.no_grad():
        found: Tensor = backbone.role(role)(packed)
    return found


# Scoring


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_score_is_read_at_the_end_of_turn_that_closes_the_response(architecture: str) -> None:
    backbone = rewarding(tiny.backbone(architecture))
    renderer = Renderer(backbone.tokenizer)
    expected = []
    for prompt, response in zip(PROMPTS, RESPONSES, strict=True):
        (prompt_ids,) = renderer.encode_prompts([renderer.prompt_text(prompt)])
        row = Row("", prompt_ids, ([*renderer.encode_responses([response])[0]],))
        if row.responses[0][-1] != renderer.end_of_turn:
            row.responses[0].append(renderer.end_of_turn)
        with torch.no_grad():
            expected.append(backbone.role("reward")(pack([row], 1000)[0]))
    torch.testing.assert_close(scores(of(backbone)), torch.cat(expected), atol=1e-4, rtol=0)


@pytest.mark.parametrize("tokens_per_row", [1, 60, 10_000])
def test_scores_come_back_in_order_however_they_are_packed(tokens_per_row: int) -> None:
    backbone = rewarding(tiny.backbone())
    reward = BackboneReward(
        backbone, Renderer(backbone.tokenizer), LIMITS, tokens_per_row=tokens_per_row, name="mine"
    )
    one_by_one = [
        reward([prompt], [response])[0] for prompt, response in zip(PROMPTS, RESPONSES, strict=True)
    ]
    torch.testing.assert_close(scores(reward), torch.tensor(one_by_one), atol=1e-4, rtol=0)
    assert reward([], []) == []


def test_dropout_of_its_adapter_is_off_while_others_train() -> None:
    reward = of(rewarding(tiny.backbone(), dropout=0.5))
    expected = scores(reward)
    reward.backbone.model.train()
    assert torch.equal(scores(reward), expected)
    assert reward.backbone.model.training


@pytest.mark.parametrize("learn", [True, False])
def test_a_loaded_adapter_drops_out_only_where_it_learns(learn: bool, base: str, tmp_path: Path) -> None:
    folder = file_reward(rewarding(loaded(base), dropout=0.5), tmp_path / "reward")
    backbone = loaded(base)
    backbone.load_lora("reward", folder, learn=learn)
    backbone.add_head("reward", seed=0)
    backbone.model.train()
    role, (packed,) = backbone.role("reward"), pack([Row("a", [5, 6, 7], ([9, 10], [12, 13]))], 1000)
    with torch.no_grad():
        assert torch.equal(role(packed), role(packed)) is not learn


def test_a_conversation_counts_once_however_much_of_it_is_cut() -> None:
    backbone = rewarding(tiny.backbone())
    reward = BackboneReward(backbone, Renderer(backbone.tokenizer), Limits(max_length=40))
    long = "the cat sat " * 9
    for number, (prompt, response) in enumerate([("a", "b"), (long, "b"), ("a", long), (long, long)]):
        checked(reward, [(user(prompt),)], [response])
        assert reward.cut == number


def test_a_conversation_that_cannot_be_rendered_is_shown() -> None:
    backbone = rewarding(tiny.backbone())
    renderer = Renderer(backbone.tokenizer)
    reward = BackboneReward(backbone, renderer, Limits(max_length=40, policy="drop"), name="mine")
    with pytest.raises(RewardError) as caught:
        checked(reward, [(user("a"),), (user("the cat sat " * 9),)], ["one", "two"])
    message = str(caught.value)
    assert message.startswith(
        "reward mine: this conversation cannot be scored: longer than 40 tokens (too_long)."
    )
    assert message.endswith('response: "two"')
    raw = BackboneReward(backbone, Renderer(backbone.tokenizer, "raw"), LIMITS)
    with pytest.raises(RewardError, match="empty_prompt"):
        checked(raw, [(user(""),)], ["one"])


# One backbone, or two


def test_a_reward_over_the_same_base_shares_it_and_disturbs_nobody(base: str, tmp_path: Path) -> None:
    trained = rewarding(loaded(base))
    expected = scores(of(trained))
    folder = file_reward(trained, tmp_path / "reward")
    backbone = loaded(base)
    backbone.train_lora("policy", rank=4, alpha=8)
    shake(backbone, seed=3)
    before = {role: logps(backbone, role) for role in ("policy", "reference")}
    trainable = list(backbone.trainable())

    reward = built(backbone, folder)

    assert is_shared(reward, backbone)
    assert reward.name == str(folder)
    torch.testing.assert_close(scores(reward), expected, atol=1e-5, rtol=0)
    assert float(backbone.heads["reward"].offset) == MEAN
    for role, value in before.items():
        assert torch.equal(logps(backbone, role), value)
    assert list(backbone.trainable()) == trainable


def test_a_reward_over_the_same_folded_adapter_shares_it(base: str, tmp_path: Path) -> None:
    sft = loaded(base)
    sft.train_lora(rank=4, alpha=8)
    shake(sft, seed=5)
    save_adapter(sft, tmp_path / "sft")
    below = str(tmp_path / "sft")
    trained = rewarding(loaded(below))
    expected = scores(of(trained))
    folder = file_reward(trained, tmp_path / "reward")
    same, other = loaded(below), loaded(base)
    assert is_shared(built(same, folder), same)
    beside = built(other, folder)
    assert not is_shared(beside, other)
    for reward in (of(same), beside):
        torch.testing.assert_close(scores(reward), expected, atol=1e-5, rtol=0)


def test_a_reward_over_another_base_is_loaded_beside(base: str, tmp_path: Path) -> None:
    trained = rewarding(loaded(str(tiny.save(tmp_path / "other", "qwen2"))))
    expected = scores(of(trained))
    folder = file_reward(trained, tmp_path / "reward")
    backbone = loaded(base)
    reward = built(backbone, folder)
    assert not is_shared(reward, backbone)
    assert "reward" not in backbone.heads
    torch.testing.assert_close(scores(reward), expected, atol=1e-5, rtol=0)


def test_a_second_reward_does_not_take_the_firsts_place(base: str, tmp_path: Path) -> None:
    first, second = rewarding(loaded(base), seed=1), rewarding(loaded(base), seed=2)
    expected = 0.5 * scores(of(first)) - scores(of(second))
    folders = [file_reward(first, tmp_path / "first"), file_reward(second, tmp_path / "second")]
    backbone = loaded(base)
    weighted = zip(folders, (0.5, -1.0), strict=True)
    sources = [RewardSource(model=str(folder), weight=weight) for folder, weight in weighted]
    reward = build(sources, backbone=backbone, renderer=Renderer(backbone.tokenizer), limits=LIMITS)
    torch.testing.assert_close(scores(reward), expected, atol=1e-5, rtol=0)


def test_a_reward_of_another_template_keeps_its_own(base: str, tmp_path: Path) -> None:
    trained = rewarding(loaded(base))
    plain = BackboneReward(trained, Renderer(trained.tokenizer, "plain"), LIMITS)
    expected = scores(plain)
    run = tmp_path / "run"
    file_reward(trained, run / "adapter", template="plain")
    file_run(run)
    backbone = loaded(base)
    reward = built(backbone, run)
    assert not is_shared(reward, backbone)
    assert backbone.tokenizer.chat_template != PLAIN_TEMPLATE
    torch.testing.assert_close(scores(reward), expected, atol=1e-5, rtol=0)
    alike = loaded(base)
    assert is_shared(built(alike, run, Renderer(alike.tokenizer, "plain")), alike)
    raw = loaded(base)
    assert not is_shared(built(raw, run, Renderer(raw.tokenizer, "raw")), raw)


def test_a_run_of_the_reward_stage_stands_for_its_adapter(base: str, tmp_path: Path) -> None:
    trained = rewarding(loaded(base))
    file_reward(trained, tmp_path / "run" / "adapter")
    file_run(tmp_path / "run")
    backbone = loaded(base)
    reward = built(backbone, tmp_path / "run")
    assert is_shared(reward, backbone)
    torch.testing.assert_close(scores(reward), scores(of(trained)), atol=1e-5, rtol=0)


# What is no reward


def refusal(model: Path, base: str) -> HeedfulError:
    backbone = loaded(base)
    with pytest.raises(HeedfulError) as caught:
        built(backbone, model)
    return caught.value


def test_a_run_of_another_stage_or_without_an_adapter_is_refused(base: str, tmp_path: Path) -> None:
    file_run(tmp_path, "dpo")
    assert str(refusal(tmp_path, base)) == (
        f"reward {tmp_path}: this is a run of the stage dpo. Name a run of the reward stage."
    )
    file_run(tmp_path)
    assert "no finished weights. Resume the run first." in str(refusal(tmp_path, base))


def test_an_adapter_that_is_no_reward_is_refused(base: str, tmp_path: Path) -> None:
    backbone = loaded(base)
    backbone.train_lora(rank=4)
    save_adapter(backbone, tmp_path / "policy")
    error = refusal(tmp_path / "policy", base)
    assert isinstance(error, RewardError)
    assert "no heedful_reward.json" in str(error)


@pytest.mark.parametrize("record", ["", "[1]", "{}", '{"mean": "high"}', '{"mean": NaN}'])
def test_a_record_that_cannot_be_read_is_refused(base: str, tmp_path: Path, record: str) -> None:
    folder = file_reward(rewarding(loaded(base)), tmp_path / "reward")
    (folder / "heedful_reward.json").write_text(record)
    error = refusal(folder, base)
    assert isinstance(error, ModelError)
    assert error.where == str(folder / "heedful_reward.json")
    assert "mean score" in str(error)


def test_an_adapter_without_a_head_that_fits_is_refused(base: str, tmp_path: Path) -> None:
    folder = file_reward(rewarding(loaded(base)), tmp_path / "reward")
    file = folder / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors["base_model.model.score.weight"] = torch.zeros(2, 32)
    save_file(tensors, file)
    assert "its head is [2, 32], and [1, 32] is needed" in str(refusal(folder, base))
    del tensors["base_model.model.score.weight"]
    save_file(tensors, file)
    with pytest.raises(ModelError, match="no scalar head"):
        load_onto(loaded(base), folder)
