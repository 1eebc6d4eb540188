"""The phases of a run, each with all that is in memory meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from heedful.training.memory import sizes
from heedful.training.memory.asked import Asked
from heedful.training.memory.prediction import Part, Phase, Role

# What a process has before it loads a model: the interpreter, torch, transformers, PEFT, a model's code and
# tokenizer. Resident on Linux with torch 2.13 for CPUs.
LIBRARIES_BYTES = 500_000_000
# What CUDA takes for itself on a GPU before the first tensor.
CUDA_CONTEXT_BYTES = 500_000_000
# On a CPU activations take about as much again. glibc keeps freed blocks below 32 MiB, adapters' gradients
# and moments come to lie between them, and the next pass, of another length, does not fit where the one
# before it was. Measured on Llamas of 20M and 135M: 0.3 to 1.3 times the activations.
ALLOCATOR_SHARE = 1.0


def phases(asked: Asked) -> Iterator[Phase]:
    """In their order."""
    yield _phase(asked, "load", asked.weights(), _reading(asked))
    if asked.stage == "dpo":
        yield _phase(asked, "reference", asked.weights(), _passing(asked, "reference"))
    if asked.stage == "ppo":
        yield _phase(asked, "rollout", asked.standing(), _sampling(asked))
        yield _phase(asked, "scoring", asked.standing(), _passing(asked, "policy"))
    yield _phase(asked, "training", asked.standing(), _learning(asked))
    yield _phase(asked, "update", asked.standing(), _moving(asked))
    if asked.held_out and asked.stage != "ppo":
        yield _phase(asked, "evaluation", asked.standing(), _passing(asked, asked.trained[0]))
    yield _phase(asked, "saving", asked.standing(), _writing(asked))


def _phase(asked: Asked, name: str, *groups: Iterable[Part]) -> Phase:
    parts = [*_process(asked), *(part for group in groups for part in group)]
    if asked.on_cpu:
        passing = sum(part.bytes for part in parts if part.kind == "activations")
        parts.append(Part("process", "allocator", int(ALLOCATOR_SHARE * passing)))
    return Phase(name, tuple(part for part in parts if part.bytes))


def _process(asked: Asked) -> Iterator[Part]:
    own = LIBRARIES_BYTES if asked.on_cpu else CUDA_CONTEXT_BYTES
    yield Part("process", "libraries", own if asked.libraries is None else asked.libraries)
    if asked.on_cpu:
        yield Part("process", "data", asked.data_tokens * sizes.DATA_BYTES_PER_TOKEN)


def _reading(asked: Asked) -> Iterator[Part]:
    """The weights' file, where they are kept in another type: else they are the file, mapped into memory."""
    if asked.on_cpu and not asked.quantised and asked.shape.dtype != asked.trained_type:
        yield Part("process", "copies", sizes.weight_bytes(asked.shape, asked.shape.dtype))


def _learning(asked: Asked) -> Iterator[Part]:
    """A forward pass at its end, or a backward pass at its beginning, whichever needs more.

    With one pass a step there are no gradients yet, and they come as the activations go.
    """
    shape, role, number = asked.shape, asked.trained[0], asked.number
    kept = {"full": asked.full, "recomputed": asked.recomputed, "dropout": asked.dropout}
    activations = sizes.activation_bytes(shape, asked.tokens, number, **kept)
    working = sizes.working_bytes(shape, asked.tokens, number, **kept)
    states = 2 * asked.targets * shape.hidden * number
    logits = sizes.logit_bytes(shape, asked.targets) + states if asked.stage != "reward" else 0
    head = sizes.head_gradient_bytes(shape, number) if asked.full and asked.stage != "reward" else 0
    gradients = asked.trainable * sizes.FP32_BYTES
    if asked.full and number < sizes.FP32_BYTES:
        yield Part(role, "copies", shape.parameters * number)
    at_the_end = asked.passes == 1 and gradients + working > activations + max(logits + head, working)
    if asked.passes > 1 or at_the_end:
        for learner in asked.learners:
            yield Part(learner, "gradients", gradients)
    if at_the_end:
        yield Part(role, "activations", working)
    elif logits + head >= working:
        yield Part(role, "activations", activations)
        yield Part(role, "logits", logits)
        yield Part(role, "gradients", head)
    else:
        yield Part(role, "activations", activations + working)


def _moving(asked: Asked) -> Iterator[Part]:
    """The optimiser's step."""
    largest = asked.shape.embedding if asked.full else 0
    for role in asked.learners:
        yield Part(role, "gradients", asked.trainable * sizes.FP32_BYTES)
    yield Part(asked.trained[0], "optimiser", sizes.STEP_COPIES * largest * sizes.FP32_BYTES)


def _passing(asked: Asked, role: Role) -> Iterator[Part]:
    """A forward pass that keeps nothing."""
    shape = asked.shape
    yield Part(role, "activations", sizes.passing_bytes(shape, asked.tokens, asked.number))
    if asked.stage != "reward":
        states = asked.targets * shape.hidden * asked.number
        yield Part(role, "logits", sizes.logit_bytes(shape, asked.targets) + states)


def _sampling(asked: Asked) -> Iterator[Part]:
    """Prompts or single tokens of all responses together, over a cache with room for all of them."""
    assert asked.rollout is not None
    rollout, shape, number = asked.rollout, asked.shape, asked.number
    length = rollout.prompt + rollout.new
    yield Part("policy", "cache", sizes.cache_bytes(shape, rollout.responses, length, number))
    prompts = sizes.passing_bytes(shape, rollout.responses * rollout.prompt, number)
    logits = sizes.CHUNKS_OF_SEVERAL * rollout.responses * shape.vocabulary * sizes.FP32_BYTES
    yield Part("policy", "activations", prompts)
    yield Part("policy", "logits", logits)
    if rollout.merged and not asked.full:
        yield Part("policy", "copies", sizes.folded_bytes(shape, asked.adapted, number))


def _writing(asked: Asked) -> Iterator[Part]:
    """The whole model, where it is written: every adapter's product in fp32, and what it is added to."""
    if asked.merged and not asked.full:
        folded = sizes.folded_bytes(asked.shape, asked.adapted, sizes.FP32_BYTES + asked.number)
        yield Part("process", "copies", folded)
