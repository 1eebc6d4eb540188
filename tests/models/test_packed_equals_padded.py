"""The invariant of packing: a pack gives the log-probs and gradients that each sequence gives alone."""

from __future__ import annotations

import pytest
import torch

from heedful.errors import ModelError
from heedful.models.backbone import Backbone
from heedful.models.roles import LanguageModel
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row
from tests import tiny


def rows(count: int = 5, seed: int = 0) -> list[Row]:
    generator = torch.Generator().manual_seed(seed)

    def ids(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (1,), generator=generator))
        return torch.randint(3, tiny.VOCABULARY, (length,), generator=generator).tolist()

    return [Row(str(i), ids(1, 20), (ids(1, 25), ids(1, 25))) for i in range(count)]


def alone(backbone: Backbone, row: Row) -> list[torch.Tensor]:
    """Each response's token log-probs the plain way: full logits, one unpadded sequence at a time."""
    found = []
    for response in row.responses:
        ids = torch.tensor([row.prompt + response])
        logits = backbone.model(input_ids=ids).logits[0].log_softmax(-1)
        at = torch.arange(len(row.prompt) - 1, ids.shape[1] - 1)
        found.append(logits[at, torch.tensor(response)])
    return found


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
def test_packed_logprobs_equal_unpacked(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    assert backbone.compatibility.packs
    some = rows()
    for packed in pack(some, 150):
        with torch.no_grad():
            ours = LanguageModel(backbone, "policy")(packed)
            theirs = torch.cat([logps for i in packed.rows for logps in alone(backbone, some[i])])
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
def test_packed_gradients_equal_unpacked(architecture: str) -> None:
    some = rows(3)
    weights = torch.linspace(-1, 1, 6)

    def adapted() -> Backbone:
        backbone = tiny.backbone(architecture)
        backbone.train_lora(rank=4, alpha=8)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for name, parameter in backbone.trainable().items():
                if "lora_B" in name:
                    parameter.normal_(0, 0.1, generator=generator)
        return backbone

    packed_side, plain_side = adapted(), adapted()
    (packed,) = pack(some, 10_000)
    by_sequence = packed.sum_by_sequence(LanguageModel(packed_side, "policy")(packed))
    (by_sequence * weights).sum().backward()
    plain = torch.stack([logps.sum() for i in packed.rows for logps in alone(plain_side, some[i])])
    (plain * weights).sum().backward()
    for (name, ours), theirs in zip(
        packed_side.trainable().items(), plain_side.trainable().values(), strict=True
    ):
        assert ours.grad is not None
        assert theirs.grad is not None
        scale = theirs.grad.abs().max().clamp(min=1)
        torch.testing.assert_close(ours.grad / scale, theirs.grad / scale, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
def test_padded_path_equals_packed(architecture: str) -> None:
    backbone = tiny.backbone(architecture)
    (packed,) = pack(rows(4), 10_000)
    padded = LanguageModel(backbone, "policy")
    padded.force_padded = True
    with torch.no_grad():
        torch.testing.assert_close(
            padded(packed), LanguageModel(backbone, "policy")(packed), atol=1e-5, rtol=0
        )


def test_a_recurrent_model_falls_back_to_padding_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    backbone = tiny.backbone("mamba")
    some = rows(2)
    (packed,) = pack(some, 10_000)
    with torch.no_grad():
        ours = LanguageModel(backbone, "policy")(packed)
        LanguageModel(backbone, "policy")(packed)
        theirs = torch.cat([logps for i in packed.rows for logps in alone(backbone, some[i])])
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert not backbone.compatibility.packs
    assert [record.message for record in caplog.records if "padded instead" in record.message].__len__() == 1


def test_probe_notices_a_head_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny.backbone("llama")
    plain = type(backbone.model.lm_head).forward
    monkeypatch.setattr(backbone.model.lm_head, "forward", lambda x: plain(backbone.model.lm_head, x) * 1.5)
    with pytest.raises(ModelError, match="LM head"):
        _ = backbone.compatibility


def test_responses_do_not_see_each_other() -> None:
    backbone = tiny.backbone("llama")
    one, other = Row("a", [5, 6, 7], ([8, 9, 10], [11, 12])), Row("a", [5, 6, 7], ([8, 9, 10], [40, 41]))

    def chosen(row: Row) -> torch.Tensor:
        packed: Packed = pack([row], 100)[0]
        with torch.no_grad():
            return LanguageModel(backbone, "policy")(packed)[:3]

    assert torch.equal(chosen(one), chosen(other))
