"""Four roles on one set of weights: each with its own adapter and head, and none in another's way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from heedful.errors import ModelError
from heedful.models import adapters, export
from heedful.models.backbone import Backbone
from heedful.models.roles import ActorCritic, ScalarHead
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row
from tests import tiny

ROWS = [Row("a", [5, 6, 7, 8], ([9, 10, 11], [12, 13])), Row("b", [20, 21], ([22, 23, 24], [25]))]
ROLES = ("reference", "policy", "reward", "critic")


def packed() -> Packed:
    (found,) = pack(ROWS, 1000)
    return found


def stir(backbone: Backbone, *, seed: int = 3) -> Backbone:
    """Adapters that do something: fresh ones add nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in backbone.trainable().items():
            if "lora_B" in name or name.startswith("heads."):
                parameter.normal_(0, 0.2, generator=generator)
    return backbone


def everybody(architecture: str = "llama") -> Backbone:
    backbone = tiny.backbone(architecture)
    for seed, role in enumerate(("policy", "reward", "critic")):
        backbone.train_lora(role, rank=4, seed=seed)
    for role in ("reward", "critic"):
        backbone.add_head(role, seed=1)
    return stir(backbone)


def said(backbone: Backbone) -> dict[str, Tensor]:
    with torch.no_grad():
        return {role: backbone.role(role)(packed()) for role in ROLES}


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt2", "gemma2"])
def test_each_role_says_what_it_says_alone(architecture: str) -> None:
    together = everybody(architecture)
    found = said(together)
    assert {role: tuple(values.shape) for role, values in found.items()} == {
        "reference": (9,),
        "policy": (9,),
        "reward": (4,),
        "critic": (9,),
    }
    state = {name: parameter.detach().clone() for name, parameter in together.trainable().items()}
    for seed, role in enumerate(("policy", "reward", "critic")):
        alone = tiny.backbone(architecture)
        alone.train_lora(role, rank=4, seed=seed)
        if role != "policy":
            alone.add_head(role)
        alone.load_trainable({name: state[name] for name in alone.trainable()})
        with torch.no_grad():
            torch.testing.assert_close(alone.role(role)(packed()), found[role])
    with torch.no_grad():
        torch.testing.assert_close(tiny.backbone(architecture).role("policy")(packed()), found["reference"])


def test_a_role_is_left_as_it_was_found() -> None:
    backbone = everybody()
    adapters.switch(backbone.model, "policy")
    with backbone.active("critic"), backbone.active("reference"):
        assert adapters.switched_on(backbone.model) is None
    assert adapters.switched_on(backbone.model) == "policy"
    with pytest.raises(RuntimeError), backbone.active("reward"):
        raise RuntimeError
    assert adapters.switched_on(backbone.model) == "policy"


@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("trunk", [False, True])
def test_losses_reach_their_own_weights_and_no_others(trunk: bool, recomputed: bool) -> None:
    def gradients(recompute: bool) -> dict[str, Tensor]:
        backbone = tiny.backbone()
        backbone.train_lora("policy", rank=4)
        if trunk:
            backbone.trunks["critic"] = "policy"
        else:
            backbone.train_lora("critic", rank=4, seed=1)
        backbone.train_lora("reward", rank=4, seed=2)
        for role in ("critic", "reward"):
            backbone.add_head(role)
        stir(backbone)
        backbone.model.train()
        backbone.recompute(recompute)
        learner = ActorCritic(backbone, trunk=trunk)
        weights = torch.linspace(-1, 1, 9)
        learner.backward(
            packed(), lambda logps: (logps * weights).sum(), lambda values: values.square().sum()
        )
        return {name: p.grad for name, p in backbone.trainable().items() if p.grad is not None}

    found = gradients(recomputed)
    touched = {"policy" if ".policy" in name else "critic" if "critic" in name else "other" for name in found}
    assert touched == {"policy", "critic"}
    assert all(bool(gradient.any()) for name, gradient in found.items() if "lora_B" in name)
    # Whether layers are kept or computed again, with whatever adapter was on: the same numbers.
    for name, gradient in gradients(not recomputed).items():
        torch.testing.assert_close(found[name], gradient, msg=name)


def test_judging_together_is_judging_one_after_the_other() -> None:
    backbone = everybody()
    with torch.no_grad():
        found = ActorCritic(backbone, trunk=False, temperature=0.7).judge(packed())
        policy = backbone.role("policy")
        policy.temperature = 0.7  # type: ignore[assignment]
        torch.testing.assert_close(found[:, 0], policy(packed()))
        torch.testing.assert_close(found[:, 1], backbone.role("critic")(packed()))


def test_a_critic_starts_as_the_reward_model_it_is_copied_from() -> None:
    backbone = tiny.backbone()
    backbone.train_lora("reward", rank=4)
    backbone.add_head("reward", seed=1)
    stir(backbone)
    backbone.heads["reward"].offset.fill_(0.5)
    backbone.copy_role("reward", "critic")
    row = pack([Row("a", [5, 6, 7], ([8, 9],))], 100)[0]
    longer = pack([Row("a", [5, 6, 7], ([8, 9, 10],))], 100)[0]
    with torch.no_grad():
        # The value before the third token is the score of a response that ends with the second.
        torch.testing.assert_close(backbone.role("critic")(longer)[2:], backbone.role("reward")(row))
    assert {"critic" in name or "reward" in name for name in backbone.trainable()} == {True}
    assert any("critic" in name for name in backbone.trainable())


def test_a_filed_adapter_comes_back_frozen_beside_one_that_learns(tmp_path: Path) -> None:
    source = tiny.backbone()
    source.train_lora("reward", rank=4)
    source.add_head("reward", seed=1)
    stir(source)
    export.save_adapter(source, tmp_path / "adapter", "reward")
    backbone = tiny.backbone()
    backbone.load_lora("reward", tmp_path / "adapter")
    backbone.add_head("reward", learn=False).load_state_dict(source.heads["reward"].state_dict())
    backbone.train_lora("policy", rank=2)
    with torch.no_grad():
        torch.testing.assert_close(backbone.role("reward")(packed()), source.role("reward")(packed()))
    assert backbone.trainable()
    assert all(".policy." in name for name in backbone.trainable())


def test_an_adapter_of_another_shape_is_refused(tmp_path: Path) -> None:
    source = tiny.backbone("gpt2")
    source.train_lora("reward", rank=4)
    source.add_head("reward")
    export.save_adapter(source, tmp_path / "adapter", "reward")
    with pytest.raises(ModelError):
        tiny.backbone().load_lora("reward", tmp_path / "adapter")
    with pytest.raises(ModelError, match="cannot be read"):
        tiny.backbone().load_lora("reward", tmp_path / "nothing")


def test_giving_a_role_a_fresh_adapter_leaves_the_others_alone() -> None:
    backbone = everybody()
    before = said(backbone)
    backbone.train_lora("policy", rank=2)
    after = said(backbone)
    torch.testing.assert_close(after["policy"], after["reference"])
    for role in ("reference", "reward", "critic"):
        torch.testing.assert_close(after[role], before[role])


def test_heads_go_with_the_adapters() -> None:
    backbone = everybody()
    backbone.drop_adapter()
    assert backbone.trainable() == {}
    with pytest.raises(ModelError, match="the role reward has no head"):
        backbone.role("reward")


def test_a_scalar_head_starts_at_nothing_or_as_a_reward_model_does() -> None:
    head, hidden = ScalarHead(400), torch.randn(1000, 400, generator=torch.Generator().manual_seed(0))
    assert head(hidden).abs().max() == 0
    head.randomize(seed=1)
    assert float(head(hidden).detach().std()) == pytest.approx((400 / 401) ** 0.5, rel=0.1)
    head.offset.fill_(2.0)
    assert float(head(hidden).detach().mean()) == pytest.approx(-2.0, abs=0.15)


def test_a_merged_adapter_computes_the_same_and_leaves_the_weights_as_they_were() -> None:
    backbone = tiny.backbone()
    backbone.train_lora("policy", rank=4)
    for weight in backbone.trainable().values():
        weight.data.normal_(0, 0.3)
    ids = torch.tensor([[5, 6, 7, 8]])
    before = {name: weight.clone() for name, weight in backbone.model.state_dict().items()}
    with torch.no_grad():
        with backbone.active("policy") as model:
            own = model(input_ids=ids).logits
        with backbone.active("reference") as model:
            plain = model(input_ids=ids).logits
        with backbone.merged("policy") as model:
            torch.testing.assert_close(model(input_ids=ids).logits, own, atol=1e-5, rtol=1e-5)
            assert (own - plain).abs().max() > 0.01
        with backbone.active("reference") as model:
            assert torch.equal(model(input_ids=ids).logits, plain)
    after = backbone.model.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_a_merged_role_without_an_adapter_is_the_role() -> None:
    backbone = tiny.backbone()
    with backbone.merged("reference") as model:
        assert model is backbone.model
