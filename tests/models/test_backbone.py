"""One set of weights, many roles: each role is what it says, and none disturbs another."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from heedful.errors import ModelError
from heedful.models import adapters
from heedful.models.backbone import Backbone
from heedful.models.export import save_adapter
from heedful.models.roles import LanguageModel
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row
from tests import tiny


def some_pack() -> Packed:
    rows = [Row("a", [5, 6, 7, 8], ([9, 10, 11], [12, 13])), Row("b", [20, 21], ([22, 23, 24], [25]))]
    return pack(rows, 1000)[0]


def logps(backbone: Backbone, role: str = "policy") -> Tensor:
    with torch.no_grad():
        return backbone.role(role)(some_pack())


def shake(backbone: Backbone, seed: int = 0, scale: float = 0.1) -> None:
    """Move the policy away from where it started."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * scale)


def bits(backbone: Backbone) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in backbone.model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def save_shaken(folder: Path, architecture: str = "llama", seed: int = 0) -> Path:
    backbone = tiny.backbone(architecture)
    backbone.train_lora(rank=4, alpha=8)
    shake(backbone, seed)
    save_adapter(backbone, folder)
    return folder


def test_a_fresh_policy_is_the_reference() -> None:
    backbone = tiny.backbone()
    before = logps(backbone)
    backbone.train_lora(rank=4, alpha=8)
    assert torch.equal(logps(backbone, "policy"), before)
    assert torch.equal(logps(backbone, "reference"), before)


def test_training_the_policy_does_not_move_the_reference() -> None:
    backbone = tiny.backbone()
    before = logps(backbone)
    backbone.train_lora(rank=4, alpha=8)
    optimizer = torch.optim.SGD(backbone.trainable().values(), lr=0.1)
    for _ in range(3):
        (-backbone.role("policy")(some_pack()).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
        assert torch.equal(logps(backbone, "reference"), before)
    assert logps(backbone, "policy").mean() > before.mean() + 0.01


def test_only_the_adapter_trains_and_in_fp32() -> None:
    backbone = Backbone(tiny.model().to(torch.bfloat16), tiny.tokenizer())
    backbone.train_lora(rank=4, alpha=8)
    trainable = backbone.trainable()
    assert trainable
    assert all("lora_" in name and p.dtype == torch.float32 for name, p in trainable.items())
    assert {p.dtype for name, p in backbone.model.named_parameters() if name not in trainable} == {
        torch.bfloat16
    }


def test_an_adapter_learns_again_after_the_reference_was_asked() -> None:
    """Switching an adapter off and on must not leave it frozen."""
    backbone = tiny.backbone()
    backbone.train_lora(rank=4, alpha=8)
    names = list(backbone.trainable())
    logps(backbone, "reference")
    assert list(backbone.trainable()) == names
    backbone.role("policy")(some_pack()).sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.trainable().values())


def test_the_same_seed_gives_the_same_adapter_and_leaves_the_random_state_alone() -> None:
    found = []
    for seed in (3, 3, 4):
        backbone = tiny.backbone()
        torch.manual_seed(11)
        backbone.train_lora(rank=4, seed=seed)
        found.append({name: p.detach().clone() for name, p in backbone.trainable().items()})
        after = torch.rand(1)
        torch.manual_seed(11)
        assert torch.equal(after, torch.rand(1))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_dropping_an_adapter_restores_every_bit() -> None:
    backbone = tiny.backbone()
    before, outputs = bits(backbone), logps(backbone)
    backbone.train_lora(rank=4, alpha=8)
    shake(backbone)
    assert not torch.equal(logps(backbone), outputs)
    backbone.drop_adapter()
    assert same(bits(backbone), before)
    assert torch.equal(logps(backbone), outputs)
    assert backbone.trainable() == {}


def test_a_second_adapter_takes_the_first_ones_place() -> None:
    backbone = tiny.backbone()
    before = logps(backbone)
    backbone.train_lora(rank=4)
    shake(backbone)
    backbone.train_lora(rank=2)
    assert torch.equal(logps(backbone), before)
    assert {min(p.shape) for p in backbone.trainable().values()} == {2}


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_folded_adapter_becomes_the_reference(architecture: str, tmp_path: Path) -> None:
    trained = tiny.backbone(architecture)
    trained.train_lora(rank=4, alpha=8)
    shake(trained)
    save_adapter(trained, tmp_path / "adapter")
    expected = logps(trained, "policy")

    backbone = tiny.backbone(architecture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backbone.fold(str(tmp_path / "adapter"))
    assert backbone.lineage == [str(tmp_path / "adapter")]
    assert backbone.trainable() == {}
    torch.testing.assert_close(logps(backbone, "reference"), expected, atol=1e-5, rtol=0)
    backbone.train_lora(rank=4, alpha=8)
    shake(backbone, seed=5)
    torch.testing.assert_close(logps(backbone, "reference"), expected, atol=1e-5, rtol=0)
    backbone.drop_adapter()
    torch.testing.assert_close(logps(backbone), expected, atol=1e-5, rtol=0)


def test_an_adapter_of_another_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = str(save_shaken(tmp_path / "gpt2", "gpt2"))
    with pytest.raises(ModelError, match="cannot be put on tiny-llama") as caught:
        tiny.backbone().fold(folder)
    assert caught.value.where == folder
    with pytest.raises(ModelError):
        tiny.backbone().fold(str(tmp_path))


def test_full_training_keeps_a_reference_that_stands_still() -> None:
    """Every weight, the LM head's too."""
    for tied in ("llama", "qwen3"):
        backbone = tiny.backbone(tied)
        before = logps(backbone)
        backbone.train_fully()
        assert backbone.trainable().keys() == dict(backbone.model.named_parameters()).keys()
        shake(backbone, scale=0.05)
        assert torch.equal(logps(backbone, "reference"), before)
        assert not torch.allclose(logps(backbone, "policy"), before, atol=1e-2)


def test_full_training_reaches_every_weight() -> None:
    backbone = tiny.backbone("qwen3")
    backbone.train_fully(keep_reference=False)
    backbone.role("policy")(some_pack()).sum().backward()
    assert all(
        parameter.grad is not None and bool(parameter.grad.any())
        for parameter in backbone.trainable().values()
    )


def test_full_training_without_a_copy_has_no_reference() -> None:
    backbone = tiny.backbone()
    backbone.train_fully(keep_reference=False)
    backbone.role("policy")
    with pytest.raises(ModelError, match="no copy was kept"):
        backbone.role("reference")


def test_an_adapter_that_was_filed_for_another_folder_is_carried_on_without_a_warning(tmp_path: Path) -> None:
    trained = tiny.backbone()
    trained.train_lora(rank=4)
    save_adapter(trained, tmp_path / "adapter")
    filed = tmp_path / "adapter" / "adapter_config.json"
    config = json.loads(filed.read_text()) | {"base_model_name_or_path": "somewhere/else"}
    filed.write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.backbone().load_lora("policy", tmp_path / "adapter")


def test_an_unknown_role_names_those_there_are() -> None:
    with pytest.raises(ModelError, match=r"no role 'judge'.*reference, policy, reward, critic"):
        tiny.backbone().role("judge")


@pytest.mark.parametrize(("architecture", "target"), [("qwen3", "lm_head"), ("llama", "embed_tokens")])
def test_an_adapter_on_the_head_or_on_what_is_tied_to_it_is_refused(architecture: str, target: str) -> None:
    """Log-probs read the base weight of the LM head: an adapter there would train unseen."""
    backbone = tiny.backbone(architecture)
    before = logps(backbone)
    with pytest.raises(ModelError, match="LM head") as caught:
        backbone.train_lora(rank=4, targets=[target, "q_proj"])
    assert caught.value.where == "lora.targets"
    assert backbone.peft is None
    assert torch.equal(logps(backbone), before)


def test_targets_that_are_not_there_are_an_error_that_says_where() -> None:
    with pytest.raises(ModelError) as caught:
        tiny.backbone().train_lora(targets=["no_such_layer"])
    assert caught.value.where == "lora.targets"
    assert "no_such_layer" in str(caught.value)


def test_named_targets_and_no_others_get_an_adapter() -> None:
    backbone = tiny.backbone()
    backbone.train_lora(rank=4, targets=["q_proj", "v_proj"])
    assert {name.split(".lora_")[0].rsplit(".", 1)[1] for name in backbone.trainable()} == {
        "q_proj",
        "v_proj",
    }


def test_saved_weights_come_back_exactly() -> None:
    one, other = tiny.backbone(), tiny.backbone()
    for backbone in (one, other):
        backbone.train_lora(rank=4, alpha=8)
    shake(one)
    other.load_trainable({name: p.detach().clone() for name, p in one.trainable().items()})
    assert torch.equal(logps(one), logps(other))
    assert other.trainable().keys() == one.trainable().keys()
    assert all(parameter.requires_grad for parameter in other.trainable().values())


def test_saved_weights_of_another_adapter_are_refused() -> None:
    backbone = tiny.backbone()
    backbone.train_lora(rank=4, targets=["q_proj"])
    state = {name: p.detach().clone() for name, p in backbone.trainable().items()}
    backbone.train_lora(rank=4, targets=["q_proj", "v_proj"])
    with pytest.raises(ModelError, match=r"another model or adapter.*v_proj"):
        backbone.load_trainable(state)


def test_the_fingerprint_is_of_the_base_and_of_all_of_it() -> None:
    backbone = tiny.backbone()
    before = backbone.fingerprint()
    assert tiny.backbone().fingerprint() == before
    backbone.train_lora(rank=4)
    shake(backbone)
    assert backbone.fingerprint() == before
    backbone.drop_adapter()
    assert backbone.fingerprint() == before
    for parameter in backbone.model.parameters():
        with torch.no_grad():
            flat = parameter.view(-1)
            kept = flat[-1].item()
            flat[-1] = torch.nextafter(flat[-1], torch.tensor(9.0))
        assert backbone.fingerprint() != before
        with torch.no_grad():
            flat[-1] = kept
    assert backbone.fingerprint() == before


def test_the_fingerprint_of_a_role_is_of_its_own_adapter_whatever_the_role_is_called() -> None:
    backbone = tiny.backbone()
    backbone.train_lora("policy", rank=2, seed=1)
    backbone.train_lora("again", rank=2, seed=1)
    backbone.train_lora("wider", rank=2, alpha=64, seed=1)
    before = backbone.fingerprint("policy")
    assert backbone.fingerprint("again") == before
    assert len({before, backbone.fingerprint("wider"), backbone.fingerprint("reference")}) == 3
    assert backbone.fingerprint("reference") == tiny.backbone().fingerprint()
    with torch.no_grad():
        next(iter(adapters.parameters(backbone.model, "policy").values())).add_(0.1)
    assert backbone.fingerprint("policy") != before == backbone.fingerprint("again")


def test_the_fingerprint_knows_the_configuration_the_number_type_and_the_fold(tmp_path: Path) -> None:
    plain = tiny.backbone().fingerprint()
    other = tiny.backbone()
    other.model.config.rope_parameters = {"rope_type": "default", "rope_theta": 500.0}
    half = Backbone(tiny.model().to(torch.bfloat16), tiny.tokenizer())
    folded = tiny.backbone()
    folded.fold(str(save_shaken(tmp_path)))
    found = {plain, other.fingerprint(), half.fingerprint(), folded.fingerprint()}
    assert len(found) == 4


def test_the_temperature_divides_the_logits() -> None:
    backbone = tiny.backbone()
    role = LanguageModel(backbone, "policy")
    role.temperature = 2.0
    packed = some_pack()
    (row, *_) = [packed.to_padded(0).input_ids[0]]
    with torch.no_grad():
        logits = backbone.model(input_ids=row[None]).logits[0] / 2.0
        expected = logits.log_softmax(-1)[packed.segments[0].prompt - 1, packed.target_ids[0]]
        assert float(role(packed)[0]) == pytest.approx(float(expected), abs=1e-5)


def test_dropout_of_the_pretrained_model_is_off_in_training_mode() -> None:
    from transformers import AutoModelForCausalLM

    config = tiny.CONFIGS["gpt2"]()
    config.attn_pdrop = config.embd_pdrop = config.resid_pdrop = 0.5
    backbone = Backbone(AutoModelForCausalLM.from_config(config).train(), tiny.tokenizer())
    backbone.model.train()
    assert torch.equal(logps(backbone), logps(backbone))


@pytest.mark.parametrize(
    ("pad", "eos", "expected"), [("<|endoftext|>", "<|im_end|>", 0), (None, "<|im_end|>", 2), (None, None, 0)]
)
def test_any_id_will_pad(pad: str | None, eos: str | None, expected: int) -> None:
    backbone = Backbone(tiny.model(), tiny.tokenizer(pad_token=pad, eos_token=eos))
    assert backbone.pad_id == expected
