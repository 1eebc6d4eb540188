"""Log-probs without logits: the numbers and gradients of `log_softmax`, and never the whole matrix."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from heedful.models import logprobs
from heedful.models.logprobs import Head, token_logprobs

VOCABULARY, HIDDEN, TARGETS = 37, 8, 13

FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bias": {"bias": True},
    "scale": {"scale": 0.25},
    "softcap": {"softcap": 3.0},
    "everything": {"bias": True, "scale": 1.7, "softcap": 2.0},
}


def problem(
    form: str = "plain", *, targets: int = TARGETS, vocabulary: int = VOCABULARY
) -> tuple[Tensor, Tensor, Head]:
    """Hidden states, target ids and a head; everything that can learn asks for gradients."""
    generator = torch.Generator().manual_seed(0)
    options = dict(FORMS[form])
    bias = (
        torch.randn(vocabulary, generator=generator).requires_grad_() if options.pop("bias", False) else None
    )
    hidden = torch.randn(targets, HIDDEN, generator=generator).requires_grad_()
    weight = torch.randn(vocabulary, HIDDEN, generator=generator).requires_grad_()
    ids = torch.randint(0, vocabulary, (targets,), generator=generator)
    return hidden, ids, Head(weight, bias, **options)


def plainly(hidden: Tensor, ids: Tensor, head: Head, temperature: float = 1.0) -> Tensor:
    """The textbook, in float64."""
    bias = None if head.bias is None else head.bias.double()
    logits = head.scale * torch.nn.functional.linear(hidden.double(), head.weight.double(), bias)
    if head.softcap is not None:
        logits = head.softcap * torch.tanh(logits / head.softcap)
    return (logits / temperature).log_softmax(-1).gather(1, ids[:, None])[:, 0]


def leaves(hidden: Tensor, head: Head) -> list[Tensor]:
    return [hidden, head.weight] + ([] if head.bias is None else [head.bias])


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("form", FORMS)
def test_values_and_all_gradients_equal_the_textbooks(form: str, temperature: float) -> None:
    hidden, ids, head = problem(form)
    upstream = torch.linspace(-2, 3, TARGETS)
    ours = token_logprobs(hidden, ids, head, temperature=temperature)
    theirs = plainly(hidden, ids, head, temperature)
    torch.testing.assert_close(ours.double(), theirs, atol=1e-5, rtol=0)
    mine = torch.autograd.grad(ours, leaves(hidden, head), upstream)
    textbook = torch.autograd.grad(theirs, leaves(hidden, head), upstream.double())
    for a, b in zip(mine, textbook, strict=True):
        torch.testing.assert_close(a, b.to(a.dtype), atol=2e-5, rtol=1e-5)


# Rows of the matrix per chunk: one, a divisor of nothing, all but one, exactly all, more than all.
@pytest.mark.parametrize("rows", [0, 1, 5, TARGETS - 1, TARGETS, TARGETS + 1, 1000])
def test_where_chunks_end_changes_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, ids, head = problem("everything")
    upstream = torch.linspace(-2, 3, TARGETS)

    def run() -> list[Tensor]:
        logps = token_logprobs(hidden, ids, head, temperature=0.7)
        return [logps, *torch.autograd.grad(logps, leaves(hidden, head), upstream)]

    whole = run()
    monkeypatch.setattr(logprobs, "CHUNK_ELEMENTS", max(rows * VOCABULARY - VOCABULARY // 2, 1))
    assert logprobs.chunk_rows(VOCABULARY) == max(rows, 1)
    for a, b in zip(run(), whole, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("vocabulary", [32_000, 32_768, 49_152, 128_256, 262_144])
def test_a_chunk_is_large_enough_for_the_system_to_get_it_back(vocabulary: int) -> None:
    """glibc takes what is at least so large from the system, and gives it back; never what is smaller."""
    largest_threshold = 32 * 2**20
    chunk = logprobs.chunk_rows(vocabulary) * vocabulary * 4
    assert largest_threshold <= chunk < largest_threshold + vocabulary * 4


@pytest.mark.parametrize("asks", [(True, False, False), (False, True, False), (False, False, True)])
def test_each_gradient_can_be_asked_for_by_itself(asks: tuple[bool, bool, bool]) -> None:
    hidden, ids, head = problem("everything")
    assert head.bias is not None
    full = torch.autograd.grad(token_logprobs(hidden, ids, head).sum(), leaves(hidden, head))
    for tensor, asked in zip(leaves(hidden, head), asks, strict=True):
        tensor.requires_grad_(asked)
    token_logprobs(hidden, ids, head).sum().backward()
    for tensor, asked, expected in zip(leaves(hidden, head), asks, full, strict=True):
        if asked:
            assert tensor.grad is not None
            torch.testing.assert_close(tensor.grad, expected, atol=1e-6, rtol=1e-6)
        else:
            assert tensor.grad is None


def test_one_step_up_the_gradient_gains_what_the_gradient_says() -> None:
    """Against finite differences, with no autograd on the other side."""
    hidden, ids, head = problem("everything")
    (slope,) = torch.autograd.grad(token_logprobs(hidden, ids, head).sum(), [hidden])
    for index in ((0, 0), (5, 3), (TARGETS - 1, HIDDEN - 1)):
        with torch.no_grad():
            step = torch.zeros_like(hidden)
            step[index] = 1e-3
            up, down = plainly(hidden + step, ids, head).sum(), plainly(hidden - step, ids, head).sum()
        assert float(slope[index]) == pytest.approx(float(up - down) / 2e-3, abs=1e-3)


def test_bfloat16_gives_fp32_log_probs_close_to_the_textbooks() -> None:
    hidden, ids, head = problem()
    low = Head(head.weight.detach().bfloat16())
    states = hidden.detach().bfloat16().requires_grad_()
    ours = token_logprobs(states, ids, low)
    assert ours.dtype == torch.float32
    theirs = plainly(states, ids, low)
    torch.testing.assert_close(ours.double(), theirs, atol=0.05, rtol=0)
    ours.sum().backward()
    assert states.grad is not None
    (textbook,) = torch.autograd.grad(theirs.sum(), [states])
    assert states.grad.dtype == torch.bfloat16
    torch.testing.assert_close(states.grad, textbook, atol=0.05, rtol=0.05)


def test_log_probs_of_huge_logits_stay_finite() -> None:
    hidden, ids, head = problem()
    with torch.no_grad():
        hidden.mul_(1e4)
    logps = token_logprobs(hidden, ids, head)
    logps.sum().backward()
    assert logps.isfinite().all()
    assert hidden.grad is not None
    assert hidden.grad.isfinite().all()


def test_no_targets_give_no_log_probs() -> None:
    hidden, ids, head = problem()
    logps = token_logprobs(hidden[:0], ids[:0], head)
    assert logps.shape == (0,)
    logps.sum().backward()
    assert hidden.grad is not None
    assert not hidden.grad.any()


class Largest(TorchDispatchMode):
    """Remembers the most elements that any operation's result had."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for result in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(result, Tensor):
                self.elements = max(self.elements, result.numel())
        return out


@pytest.mark.parametrize("head_trains", [False, True])
def test_the_matrix_of_all_targets_and_the_vocabulary_is_never_built(
    head_trains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, vocabulary, chunk = 256, 512, 8 * 512
    monkeypatch.setattr(logprobs, "CHUNK_ELEMENTS", chunk)
    hidden, ids, head = problem(targets=targets, vocabulary=vocabulary)
    head.weight.requires_grad_(head_trains)
    with Largest() as largest:
        token_logprobs(hidden, ids, head).sum().backward()
    # The largest thing in memory is a chunk or the head itself: both far below the matrix.
    assert largest.elements <= max(chunk, head.weight.numel())
    assert largest.elements < targets * vocabulary / 10
    with Largest() as plain:
        plainly(hidden, ids, head).sum().backward()
    assert plain.elements >= targets * vocabulary


@pytest.mark.parametrize("head_trains", [False, True])
def test_what_is_kept_for_backward_does_not_grow_with_the_vocabulary(head_trains: bool) -> None:
    def kept(vocabulary: int) -> int:
        hidden, ids, head = problem(vocabulary=vocabulary)
        head.weight.requires_grad_(head_trains)
        sizes: list[int] = []

        def note(tensor: Tensor) -> Tensor:
            if tensor.data_ptr() != head.weight.data_ptr():
                sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            token_logprobs(hidden, ids, head)
        return sum(sizes)

    assert kept(4000) == kept(40) <= 3 * TARGETS * HIDDEN
