"""Sampling gives what `transformers` gives, whoever shares the batch, and stops where a turn ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from heedful.errors import NotFinite
from heedful.models import sampler
from heedful.models.sampler import Sample, answer, sample
from heedful.records import assistant, user
from heedful.render.chat import Renderer
from tests import tiny

ARCHITECTURES = ["llama", "gpt2", "qwen3", "gemma2"]
# Lengths far apart, one alone, one beyond the sliding window of six, and not in order.
PROMPTS = [[7, 8, 9], [11] * 2 + list(range(20, 37)), [5], [40, 41, 42, 43, 44, 45, 46, 47], [60, 61]]
NOWHERE = frozenset({tiny.VOCABULARY + 1})
NEW = 12


def greedy(model: PreTrainedModel, prompts: list[list[int]] = PROMPTS, **options: Any) -> list[Sample]:
    given: dict[str, Any] = {"stop_ids": NOWHERE, "max_new_tokens": NEW, "temperature": 0.0} | options
    return sample(model, prompts, **given)


def generated(model: PreTrainedModel, prompt: list[int], stop_ids: frozenset[int]) -> list[int]:
    """What `transformers` says to one prompt, alone, up to the stop token."""
    ids = torch.tensor([prompt])
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=NEW,
        eos_token_id=sorted(stop_ids) if stop_ids != NOWHERE else None,
        pad_token_id=0,
    )[0].tolist()[len(prompt) :]
    return out[:-1] if out[-1] in stop_ids else out


def a_stop(model: PreTrainedModel) -> frozenset[int]:
    """A token that some rows come to before the limit, at different times."""
    rows = [set(found.tokens[1:-1]) for found in greedy(model)]
    counts = Counter(token for row in rows for token in row)
    return frozenset({max(counts, key=lambda token: (counts[token], token))})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_greedy_is_transformers_own_generate(architecture: str) -> None:
    model = tiny.model(architecture)
    model.generation_config.eos_token_id = None
    found = greedy(model)
    assert [one.tokens for one in found] == [generated(model, prompt, NOWHERE) for prompt in PROMPTS]
    assert not any(one.ended for one in found)
    stop = a_stop(model)
    stopped = greedy(model, stop_ids=stop)
    assert [one.tokens for one in stopped] == [generated(model, prompt, stop) for prompt in PROMPTS]
    assert any(one.ended for one in stopped)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_prompt_is_answered_the_same_alone_and_in_any_batch(architecture: str) -> None:
    model = tiny.model(architecture)
    together = greedy(model)
    assert [greedy(model, [prompt])[0] for prompt in PROMPTS] == together
    assert greedy(model, PROMPTS[::-1]) == together[::-1]
    assert greedy(model, batch_size=2) == together


def test_a_response_ends_before_its_stop_token() -> None:
    model = tiny.model()
    free, stop = greedy(model), a_stop(model)
    for limited, whole in zip(greedy(model, stop_ids=stop), free, strict=True):
        if set(whole.tokens) & stop:
            at = min(whole.tokens.index(token) for token in stop if token in whole.tokens)
            assert limited == Sample(whole.tokens[:at], stop=whole.tokens[at])
        else:
            assert limited == Sample(whole.tokens)


def test_a_stop_token_at_once_is_an_empty_response() -> None:
    model = tiny.model()
    first = greedy(model)[0].tokens[0]
    assert greedy(model, [PROMPTS[0]], stop_ids=frozenset({first})) == [Sample([], stop=first)]


def test_the_limit_is_a_limit() -> None:
    assert [len(one.tokens) for one in greedy(tiny.model(), max_new_tokens=1)] == [1] * len(PROMPTS)


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_when_ended_rows_leave_the_batch_changes_nothing(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.model(architecture)
    stop = a_stop(model)
    monkeypatch.setattr(sampler, "_COMPACT_AT", 1.0)
    never = greedy(model, stop_ids=stop)
    assert len({len(one.tokens) for one in never}) > 1
    monkeypatch.setattr(sampler, "_COMPACT_AT", 0.0)
    assert greedy(model, stop_ids=stop) == never


def test_rows_that_have_ended_are_not_computed_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = tiny.model(), []
    free = greedy(model)
    stop = frozenset(one.tokens[0] for one in free[1:]) - set(free[0].tokens)
    plain = model.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        rows.append(len(kwargs["input_ids"]))
        return plain(*args, **kwargs)

    monkeypatch.setattr(model, "forward", counting)
    found = greedy(model, stop_ids=stop)
    assert sum(one.ended for one in found) >= 3
    assert rows[0] == len(PROMPTS)
    assert rows[-1] == sum(not one.ended for one in found)
    # A cache is used: after the prompts, each step computes one token per row.
    assert len(rows) == NEW


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"temperature": 1.0}, {"temperature": 1.0, "top_p": 0.5}]
)
@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_logits_that_are_not_finite_are_named(options: dict[str, float], bad: str) -> None:
    logits = torch.randn(3, tiny.VOCABULARY)
    logits[:, 5] = -torch.inf  # a token that is ruled out is no trouble
    assert 5 not in sampler.choose_tokens(logits.clone(), **options)
    logits[1, -1] = float(bad)
    with pytest.raises(NotFinite, match=r"logits are not finite.*float16.*model\.dtype=float32"):
        sampler.choose_tokens(logits, **options)


def first_tokens(model: PreTrainedModel, count: int, **options: Any) -> Counter[int]:
    prompts = [PROMPTS[0]] * count
    found = sample(model, prompts, stop_ids=NOWHERE, max_new_tokens=1, batch_size=count, **options)
    return Counter(one.tokens[0] for one in found)


def probabilities(model: PreTrainedModel, temperature: float) -> torch.Tensor:
    with torch.no_grad():
        return (model(input_ids=torch.tensor([PROMPTS[0]])).logits[0, -1] / temperature).softmax(-1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_tokens_come_as_often_as_the_model_says(temperature: float) -> None:
    model, count = tiny.model(), 3000
    found = first_tokens(model, count, temperature=temperature, seed=1)
    expected = probabilities(model, temperature)
    for token in expected.topk(5).indices.tolist():
        p = float(expected[token])
        assert found[token] == pytest.approx(count * p, abs=4 * (count * p * (1 - p)) ** 0.5 + 1)


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.6])
def test_top_p_samples_from_the_smallest_set_that_holds_so_much(top_p: float) -> None:
    model, temperature = tiny.model(), 0.5
    ordered, ids = probabilities(model, temperature).sort(descending=True)
    size = int((ordered.cumsum(0) < top_p).sum()) + 1
    found = first_tokens(model, 3000, temperature=temperature, top_p=top_p)
    assert found.keys() <= set(ids[:size].tolist())
    # All of the set turns up that should, with 3000 draws.
    likely = ids[:size][ordered[:size] / ordered[:size].sum() > 0.01].tolist()
    assert set(likely) <= found.keys()


def test_a_tiny_top_p_is_greedy() -> None:
    model = tiny.model()
    options: dict[str, Any] = {"stop_ids": NOWHERE, "max_new_tokens": NEW}
    assert sample(model, PROMPTS, temperature=1.0, top_p=1e-6, **options) == greedy(model)


def test_temperature_zero_does_not_ask_the_seed() -> None:
    model = tiny.model()
    assert greedy(model, seed=1) == greedy(model, seed=2)


def test_a_seed_reproduces_and_another_differs() -> None:
    model = tiny.model()

    def run(seed: int) -> list[Sample]:
        return sample(model, PROMPTS, stop_ids=NOWHERE, max_new_tokens=NEW, temperature=1.0, seed=seed)

    torch.manual_seed(5)
    one = run(3)
    after = torch.rand(1)
    torch.manual_seed(6)
    assert run(3) == one
    assert run(4) != one
    # Sampling has a generator of its own and leaves the global one alone.
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)


def test_tokens_stream_to_the_right_prompt_as_they_come() -> None:
    model = tiny.model()
    stop = a_stop(model)
    streamed: dict[int, list[int]] = {index: [] for index in range(len(PROMPTS))}
    done: list[int] = []
    found = greedy(
        model,
        stop_ids=stop,
        batch_size=2,
        on_token=lambda index, token: streamed[index].append(token),
        on_done=done.append,
    )
    assert [streamed[index] for index in range(len(PROMPTS))] == [one.tokens for one in found]
    assert done == sorted(done)
    assert done[-1] == len(PROMPTS)


def test_the_id_that_pads_changes_nothing() -> None:
    model = tiny.model()
    assert greedy(model, pad_id=9) == greedy(model, pad_id=0)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -0.1}, {"top_p": 0.0}, {"top_p": 1.1}, {"max_new_tokens": 0}, {"prompts": [[1], []]}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|no tokens"):
        greedy(tiny.model(), **({"prompts": PROMPTS} | wrong))


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_several_responses_to_a_prompt_start_from_one_pass_over_it(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, shapes = tiny.model(architecture), []
    single = greedy(model, stop_ids=a_stop(model))
    plain = model.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        shapes.append(tuple(kwargs["input_ids"].shape))
        return plain(*args, **kwargs)

    stop = a_stop(model)
    monkeypatch.setattr(model, "forward", counting)
    found = greedy(model, stop_ids=stop, samples=3)
    assert found == [one for one in single for _ in range(3)]
    assert shapes[0] == (len(PROMPTS), max(map(len, PROMPTS)))
    assert shapes[1][1] == 1


def test_responses_to_one_prompt_differ_and_come_as_often_as_the_model_says() -> None:
    model, count = tiny.model(), 3000
    options: dict[str, Any] = {"stop_ids": NOWHERE, "max_new_tokens": 1, "batch_size": 700}
    found = Counter(one.tokens[0] for one in sample(model, [PROMPTS[0]], samples=count, **options))
    expected = probabilities(model, 1.0)
    for token in expected.topk(5).indices.tolist():
        p = float(expected[token])
        assert found[token] == pytest.approx(count * p, abs=4 * (count * p * (1 - p)) ** 0.5 + 1)


@pytest.mark.parametrize("size", [3, 256, 700])
def test_draws_match_their_weights_and_never_take_a_token_of_no_weight(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(size, generator=generator) * (torch.arange(size) % 3 != 1)
    draws = 40_000
    logits = weights.log().expand(draws, size).clone()
    found = sampler.choose_tokens(logits, 1.0, generator=generator).bincount(minlength=size)
    assert found[weights == 0].sum() == 0
    expected = draws * weights / weights.sum()
    # Pearson's statistic: its mean is the degrees of freedom, its standard deviation the root of twice that.
    kept = weights > 0
    freedom = int(kept.sum()) - 1
    statistic = ((found[kept] - expected[kept]) ** 2 / expected[kept]).sum()
    assert float(statistic) == pytest.approx(freedom, abs=4 * (2 * freedom) ** 0.5 + 3)


def test_a_token_of_all_the_weight_is_always_drawn() -> None:
    logits = torch.full((50, 1000), -1e9)
    logits[:, 999] = 0.0
    assert set(sampler.choose_tokens(logits, 1.0).tolist()) == {999}


def test_no_prompts_give_no_responses() -> None:
    assert greedy(tiny.model(), []) == []


def test_conversations_are_answered_in_words_by_the_role_asked_for() -> None:
    backbone = tiny.backbone()
    renderer = Renderer(backbone.tokenizer)
    conversations = [[user("hi")], [user("the cat"), assistant("sat"), user("on?")]]
    options: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 8}
    before = answer(backbone, renderer, conversations, **options)
    prompts = renderer.encode_prompts([renderer.prompt_text(messages) for messages in conversations])
    plain = sample(backbone.model, prompts, stop_ids=renderer.stop_ids, **options)
    assert before == [(renderer.decode(one.tokens), one) for one in plain]

    backbone.train_lora(rank=4, alpha=8)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.2)
    assert answer(backbone, renderer, conversations, role="reference", **options) == before
    assert answer(backbone, renderer, conversations, role="policy", **options) != before


def test_answering_in_the_middle_of_training_leaves_training_mode_on() -> None:
    backbone = tiny.backbone()
    backbone.train_lora(rank=4, dropout=0.5)
    with torch.no_grad():  # a fresh adapter adds nothing, dropped or not
        for parameter in backbone.trainable().values():
            parameter.add_(0.2)
    renderer = Renderer(backbone.tokenizer)
    backbone.model.train()
    options: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 4}
    one, other = (answer(backbone, renderer, [[user("hi")]], **options) for _ in range(2))
    assert one == other
    assert backbone.model.training
