"""Reference log-probs are computed once, and again as soon as anything they depend on is another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.models.roles import LanguageModel
from heedful.recipe import DPOTraining
from heedful.render.chat import Renderer
from heedful.render.rows import Row, Rows, render
from heedful.render.truncate import Limits
from heedful.training import dpo
from heedful.training.job import Given
from heedful.training.loop import batch
from heedful.training.reference import reference_logps
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "reference"


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every forward pass."""
    made: list[int] = []
    forward = LanguageModel.forward

    def counted(role: LanguageModel, packed: Any) -> Tensor:
        made.append(packed.tokens)
        return forward(role, packed)

    monkeypatch.setattr(LanguageModel, "forward", counted)
    return made


def rendered(
    backbone: Backbone,
    *,
    template: Any = "auto",
    limits: Limits | None = None,
    pairs: Sequence[Any] | None = None,
) -> Rows:
    records = small.pairs(8) if pairs is None else pairs
    return render(records, Renderer(backbone.tokenizer, template), limits or Limits(200))


def logps(backbone: Backbone, rows: Rows, **settings: Any) -> Tensor:
    return reference_logps(backbone, rows, DPOTraining(**settings), small.QUIET)


def test_values_are_those_of_the_model_without_adapter() -> None:
    backbone = tiny.backbone()
    rows = rendered(backbone)
    found = logps(backbone, rows)
    assert found.shape == (8, 2)
    row = rows[3]
    for side, response in enumerate(row.responses):
        with torch.no_grad():
            logits = backbone.model(torch.tensor([row.prompt + response])).logits[0, len(row.prompt) - 1 : -1]
        own = logits.log_softmax(-1)[torch.arange(len(response)), torch.tensor(response)].sum()
        assert float(found[3, side]) == pytest.approx(float(own), abs=1e-4)


def test_the_second_time_they_are_read_bit_for_bit_without_a_forward_pass(passes: list[int]) -> None:
    fresh = logps(tiny.backbone(), rendered(tiny.backbone()))
    assert passes
    passes.clear()
    backbone = tiny.backbone()
    read = logps(backbone, rendered(backbone))
    assert not passes
    assert torch.equal(read, fresh)


def test_an_adapter_on_top_changes_nothing(passes: list[int]) -> None:
    fresh = logps(tiny.backbone(), rendered(tiny.backbone()))
    passes.clear()
    backbone = small.adapted()
    assert torch.equal(logps(backbone, rendered(backbone)), fresh)
    assert not passes


def other_weight() -> tuple[Backbone, Rows]:
    backbone = tiny.backbone()
    with torch.no_grad():
        backbone.model.model.norm.weight[0] += 1e-3
    return backbone, rendered(backbone)


def other_token() -> tuple[Backbone, Rows]:
    backbone = tiny.backbone()
    rows = list(rendered(backbone))
    chosen, rejected = rows[0].responses
    rows[0] = Row(rows[0].id, rows[0].prompt, ([*chosen[:-1], chosen[-1] + 1], rejected))
    return backbone, Rows(rows)


def other_boundary() -> tuple[Backbone, Rows]:
    """The same tokens in the same order; one of the prompt's belongs to the responses now."""
    backbone = tiny.backbone()
    rows = list(rendered(backbone))
    *prompt, last = rows[0].prompt
    chosen, rejected = rows[0].responses
    rows[0] = Row(rows[0].id, prompt, ([last, *chosen], rejected))
    return backbone, Rows(rows)


def other_template() -> tuple[Backbone, Rows]:
    backbone = tiny.backbone()
    return backbone, rendered(backbone, template="plain")


def other_truncation() -> tuple[Backbone, Rows]:
    backbone = tiny.backbone()
    longest = max(row.tokens for row in rendered(backbone))
    return backbone, rendered(backbone, limits=Limits(longest // 2))


def other_dtype() -> tuple[Backbone, Rows]:
    backbone = Backbone(tiny.model().to(torch.bfloat16), tiny.tokenizer(), name="tiny-llama")
    return backbone, rendered(backbone)


def other_compute_dtype() -> tuple[Backbone, Rows]:
    backbone = Backbone(tiny.model(), tiny.tokenizer(), name="tiny-llama", compute_dtype=torch.bfloat16)
    return backbone, rendered(backbone)


CHANGES: list[Callable[[], tuple[Backbone, Rows]]] = [
    other_weight,
    other_token,
    other_boundary,
    other_template,
    other_truncation,
    other_dtype,
    other_compute_dtype,
]


@pytest.mark.parametrize("change", CHANGES)
def test_they_are_computed_again_where_anything_changed(
    change: Callable[[], tuple[Backbone, Rows]], passes: list[int], cache: Path
) -> None:
    before = logps(tiny.backbone(), rendered(tiny.backbone()))
    passes.clear()
    found = logps(*change())
    assert passes, "a stale cache was trusted"
    assert not torch.equal(found, before)
    assert len(list(cache.iterdir())) == 2


def test_the_padded_path_has_a_cache_of_its_own(passes: list[int]) -> None:
    backbone = tiny.backbone()
    rows = rendered(backbone)
    packed = logps(backbone, rows)
    passes.clear()
    padded = logps(backbone, rows, padded=True)
    assert passes
    torch.testing.assert_close(padded, packed, atol=1e-4, rtol=0)


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_damaged_cache_is_computed_again(damage: bytes | None, passes: list[int], cache: Path) -> None:
    backbone = tiny.backbone()
    rows = rendered(backbone)
    fresh = logps(backbone, rows)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-8] if damage is None else damage)
    passes.clear()
    assert torch.equal(logps(backbone, rows), fresh)
    assert passes
    passes.clear()
    assert torch.equal(logps(backbone, rows), fresh)
    assert not passes, "the damaged file was not replaced"


def test_a_short_run_scores_only_the_pairs_it_comes_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[list[str]] = []

    def counted(backbone: Backbone, rows: Rows, *others: Any) -> Tensor:
        scored.append([row.id for row in rows])
        return reference_logps(backbone, rows, *others)

    monkeypatch.setattr(dpo, "reference_logps", counted)
    given = Given(small.pairs(8), small.pairs(3, seed=1), tiny.backbone())
    recipe = small.recipe("dpo", tmp_path / "run", max_steps=2, batch_size=2, seed=1)
    outcome = dpo.run(recipe, given, reporter=small.QUIET)
    learned = {f"pair-{index}" for step in range(2) for index in batch(step, 8, 2, seed=1)}
    assert [set(ids) for ids in scored] == [learned, {"pair-0", "pair-1", "pair-2"}]
    losses = [line["loss"] for line in read_metrics(outcome.run / "metrics.jsonl")]
    assert all(math.isfinite(loss) for loss in losses)
