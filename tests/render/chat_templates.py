"""Chat templates of the kinds in the wild, each small enough to render by hand, and tokenizers for them."""

from __future__ import annotations

from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from tests import tiny

CHATML = tiny.CHATML

# Llama 3: the template writes the BOS itself, and nothing follows the end of turn.
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# R1: the generation prompt opens the reasoning, and reasoning is stripped from every turn that is history.
REASONING = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant\n' + m['content'].split('</think>')[-1] | trim + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)

# Reasoning is laid out anew, and in the last turn only: a response changes the turn before it.
LAST_REASONS = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{% set parts = m['content'].split('</think>') %}{{ '<|im_start|>assistant\n' }}"
    "{% if loop.last or (loop.revindex == 2 and add_generation_prompt) %}"
    "{{ '<think>\n' + (parts[0].split('<think>')[-1] if parts | length > 1 else '') }}"
    "{{ '\n</think>\n' }}{% endif %}"
    "{{ parts[-1] + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

# Gemma: no system turn.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + CHATML
)

# An instruction template of early 2023: words only, and nothing says that the answer is over.
NO_END = (
    "{% for m in messages %}{{ '### ' + m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}### assistant:{% endif %}"
)


def llama3_tokenizer() -> PreTrainedTokenizerFast:
    """A BOS of its own, which calling the tokenizer puts in front, as Llama's does."""
    built = tiny.tokenizer(
        chat_template=LLAMA3, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>", pad_token=None
    )
    built.add_special_tokens({"additional_special_tokens": ["<|start_header_id|>", "<|end_header_id|>"]})
    return with_bos(built)


def with_bos(built: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """Make calling the tokenizer put its BOS in front."""
    bos = str(built.bos_token)
    built.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, built.bos_token_id)]
    )
    assert built("a")["input_ids"][0] == built.bos_token_id
    return built


def ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    """The tokens of a text and nothing else."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
