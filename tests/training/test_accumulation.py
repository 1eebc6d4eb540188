"""How a batch is cut into packs does not change its gradients, and they are what plain torch computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.render.rows import Row, Rows
from heedful.training.dpo import DPOStage
from heedful.training.loop import Loop
from heedful.training.sft import SFTStage
from heedful.training.stage import Stage
from tests.training import small

WEIGHTS = [1.0, 0.5, 2.0, 1.0, 0.0, 3.0, 1.0, 0.25]
TOLERANCE = 1e-6


def sft_stage() -> SFTStage:
    return SFTStage(small.rows(WEIGHTS, responses=1))


def dpo_stage() -> DPOStage:
    return small.dpo_stage(small.rows(WEIGHTS, responses=2))


STAGES: dict[str, Callable[[], Stage]] = {"sft": sft_stage, "dpo": dpo_stage}


def packs_of_two(rows: Rows) -> int:
    """A budget under which no pack holds more than two rows."""
    return max(row.tokens for row in rows)


def gradients(loop: Loop) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in loop.parameters.items() if p.grad is not None}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    assert any(float(gradient.abs().max()) > 1e-3 for gradient in theirs.values())
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, theirs[name], atol=TOLERANCE, rtol=1e-5, msg=name)


def alone(backbone: Backbone, prompt: list[int], response: list[int]) -> Tensor:
    """A response's token log-probs from the model's full logits, one unpadded sequence at a time."""
    ids = torch.tensor([prompt + response])
    logits = backbone.model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logits[torch.arange(len(response)), torch.tensor(response)]


def plain_sft(backbone: Backbone, stage: SFTStage) -> Tensor:
    """Each token counts its row's weight, and the mean is over all of them."""
    total, weight = torch.zeros(()), 0.0
    for row in stage.rows:
        (response,) = row.responses
        total = total - row.weight * alone(backbone, row.prompt, response).sum()
        weight += row.weight * len(response)
    return total / weight


def plain_dpo(backbone: Backbone, stage: DPOStage) -> Tensor:
    """Each pair counts its weight: Rafailov et al. 2023, eq. 7, as it stands there."""

    def moved(row: Row, side: int, number: int) -> Tensor:
        return alone(backbone, row.prompt, row.responses[side]).sum() - stage.reference[number, side]

    total = torch.zeros(())
    for number, row in enumerate(stage.rows):
        margin = stage.objective.beta * (moved(row, 0, number) - moved(row, 1, number))
        total = total + row.weight * torch.log1p(torch.exp(-margin))
    return total / sum(row.weight for row in stage.rows)


PLAIN: dict[str, Callable[[Backbone, Any], Tensor]] = {"sft": plain_sft, "dpo": plain_dpo}


def run_loop(stage: Stage, folder: Path, tokens_per_row: int, **settings: bool) -> tuple[Loop, float]:
    loop = small.loop(stage, folder, tokens_per_row=tokens_per_row, **settings)
    loss, _, _ = loop.backward(range(len(stage.rows)))
    return loop, loss


@pytest.mark.parametrize("name", STAGES)
def test_packs_of_two_rows_equal_one_pack_of_eight(name: str, tmp_path: Path) -> None:
    stage = STAGES[name]()
    many, loss_of_many = run_loop(stage, tmp_path / "many", packs_of_two(stage.rows))
    one, loss_of_one = run_loop(stage, tmp_path / "one", 100_000)
    assert loss_of_many == pytest.approx(loss_of_one, abs=TOLERANCE)
    assert_equal(gradients(many), gradients(one))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", STAGES)
def test_gradients_are_those_of_plain_torch(name: str, padded: bool, tmp_path: Path) -> None:
    stage = STAGES[name]()
    ours, loss = run_loop(stage, tmp_path, packs_of_two(stage.rows), padded=padded)
    backbone = small.adapted()
    plain = PLAIN[name](backbone, stage)
    plain.backward()
    assert loss == pytest.approx(float(plain.detach()), abs=1e-5)
    theirs = {name: p.grad for name, p in backbone.trainable().items() if p.grad is not None}
    assert_equal(gradients(ours), theirs)


@pytest.mark.parametrize("name", STAGES)
def test_a_row_of_weight_zero_teaches_nothing(name: str, tmp_path: Path) -> None:
    stage = STAGES[name]()
    silent = WEIGHTS.index(0.0)
    everyone, _ = run_loop(stage, tmp_path / "a", 100_000)
    without = small.loop(stage, tmp_path / "b", tokens_per_row=100_000)
    without.backward([index for index in range(len(WEIGHTS)) if index != silent])
    assert_equal(gradients(everyone), gradients(without))


@pytest.mark.parametrize("name", STAGES)
def test_a_step_of_weightless_rows_has_no_loss_and_no_gradient(name: str, tmp_path: Path) -> None:
    loop = small.loop(STAGES[name](), tmp_path)
    loss, _, tokens = loop.backward([WEIGHTS.index(0.0)])
    assert loss == 0.0
    assert tokens > 0
    assert all(float(gradient.abs().max()) == 0.0 for gradient in gradients(loop).values())


@pytest.mark.parametrize("padded", [False, True])
def test_gradient_checkpointing_changes_no_gradient(padded: bool, tmp_path: Path) -> None:
    stage = dpo_stage()
    plain, _ = run_loop(stage, tmp_path / "plain", 100_000, padded=padded)
    backbone = small.adapted()
    backbone.model.train()
    backbone.recompute(True)
    saving = small.loop(stage, tmp_path / "saving", backbone=backbone, tokens_per_row=100_000, padded=padded)
    assert backbone.compatibility.packs
    again: list[int] = []
    inside: Any = backbone.model.model.layers[0].mlp
    inside.register_forward_pre_hook(lambda *_: again.append(1))
    saving.backward(range(len(stage.rows)))
    assert len(again) == 2, "the layer was not computed again, so nothing was tested"
    assert_equal(gradients(saving), gradients(plain))
