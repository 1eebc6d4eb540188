"""Means over packs and processes: of an optimiser step's metrics, and of a whole held-out set."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from heedful.models.scoring import row_budget
from heedful.recipe import TrainingSettings
from heedful.render.packing import pack
from heedful.training import processes
from heedful.training.stage import Stage
from heedful.training.tracking import Reporter


class Sums:
    """Loss, tokens and metrics summed over packs, until they are averaged over all processes."""

    def __init__(self) -> None:
        self._totals = {"loss": 0.0, "tokens": 0.0}
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}

    def add(self, loss: Tensor, metrics: Mapping[str, Tensor], tokens: int) -> None:
        """A pack's summed loss, its metrics per unit, and its tokens."""
        self._totals["loss"] += float(loss.detach())
        self._totals["tokens"] += tokens
        for name, values in metrics.items():
            # Summed in fp64 on the CPU: not every device has fp64.
            self._sums[name] = self._sums.get(name, 0.0) + float(values.detach().cpu().double().sum())
            self._counts[name] = self._counts.get(name, 0.0) + values.numel()

    def average(self, weight: float) -> tuple[float, dict[str, float], int]:
        """`(loss, metrics, tokens)` over all processes: the loss per `weight`, metrics per unit."""
        totals, sums, counts = (processes.total(part) for part in (self._totals, self._sums, self._counts))
        metrics = {name: sums[name] / max(counts[name], 1) for name in counts}
        return totals["loss"] / weight, metrics, int(totals["tokens"])


def evaluate(
    stage: Stage, role: torch.nn.Module, settings: TrainingSettings, reporter: Reporter, device: torch.device
) -> dict[str, float]:
    """The stage's mean loss and metrics over all its rows, without gradients or dropout."""
    rows = stage.rows
    weight = sum(stage.weight(index) for index in range(len(rows))) or 1.0
    own = processes.share(range(len(rows)))
    sums, done, was_training = Sums(), 0, role.training
    role.eval()
    with torch.no_grad(), reporter.task("Evaluating", len(own)) as task:
        for packed in pack([rows[index] for index in own], row_budget(settings.tokens_per_row, device)):
            packed = packed.to(device)
            loss, metrics = stage.loss(role(packed), packed, [own[i] for i in packed.rows])
            sums.add(loss, metrics, packed.tokens)
            done += len(packed.rows)
            task.update(done)
    role.train(was_training)
    loss_mean, means, _ = sums.average(weight)
    return {"loss": loss_mean, "rows": len(rows), **means}
