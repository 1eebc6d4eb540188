"""The boundary between prompt and response is exact, whatever the chat template does."""

from __future__ import annotations

import pytest

from heedful.records import Message, assistant, user
from heedful.render.chat import Renderer, TemplateRefused
from tests import tiny
from tests.render.chat_templates import (
    CHATML,
    LAST_REASONS,
    NO_END,
    NO_SYSTEM,
    REASONING,
    ids,
    llama3_tokenizer,
)

QUESTION = (user("hi"),)
ANSWER = (assistant("the cat"),)


def rendered(
    renderer: Renderer, prompt: tuple[Message, ...], response: tuple[Message, ...]
) -> tuple[str, str]:
    return renderer.prompt_text(prompt), renderer.response_text(prompt, response)


def tokens(
    renderer: Renderer, prompt: tuple[Message, ...], response: tuple[Message, ...]
) -> tuple[list[int], list[int]]:
    prompt_text, response_text = rendered(renderer, prompt, response)
    return renderer.encode_prompts([prompt_text])[0], renderer.encode_responses([response_text])[0]


def test_chatml_prompt_ends_with_the_generation_prompt_and_response_with_the_end_of_turn() -> None:
    tokenizer = tiny.tokenizer(chat_template=CHATML)
    prompt, response = tokens(Renderer(tokenizer), QUESTION, ANSWER)
    assert prompt == ids(tokenizer, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
    # The template writes a newline after the end of turn; a model that generates never gets there.
    assert response == ids(tokenizer, "the cat<|im_end|>")
    assert response[-1] == tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_llama3_template_writes_the_only_bos() -> None:
    tokenizer = llama3_tokenizer()
    prompt, response = tokens(Renderer(tokenizer), QUESTION, ANSWER)
    header = "<|start_header_id|>{}<|end_header_id|>\n\n"
    assert prompt == ids(
        tokenizer, "<|begin_of_text|>" + header.format("user") + "hi<|eot_id|>" + header.format("assistant")
    )
    assert prompt.count(tokenizer.bos_token_id) == 1
    assert response == ids(tokenizer, "the cat<|eot_id|>")
    assert tokenizer.bos_token_id not in response


def test_prompt_and_response_are_tokenised_separately() -> None:
    """One tokenisation of the whole would merge across the boundary, which generation never does."""
    tokenizer = tiny.tokenizer()
    whole = ids(tokenizer, "the cat")
    prompt, response = tokens(Renderer(tokenizer, "raw"), (user("the c"),), (assistant("at"),))
    assert prompt == ids(tokenizer, "the c")
    assert response == [*ids(tokenizer, "at"), tokenizer.eos_token_id]
    assert prompt + response[:-1] != whole


def test_earlier_turns_belong_to_the_prompt() -> None:
    tokenizer = tiny.tokenizer()
    renderer = Renderer(tokenizer)
    prompt, response = rendered(renderer, (*QUESTION, assistant("yes"), user("why")), ANSWER)
    assert prompt == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
        "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\n"
    )
    assert response == "the cat<|im_end|>\n"
    assert renderer.rewritten == 0


def test_a_response_of_several_turns_ends_with_the_last_one() -> None:
    tokenizer = tiny.tokenizer()
    response = (assistant("a"), Message("tool", "b"), assistant("c"))
    _, found = tokens(Renderer(tokenizer), QUESTION, response)
    between = "<|im_end|>\n<|im_start|>"
    assert found == ids(tokenizer, f"a{between}tool\nb{between}assistant\nc<|im_end|>")


def test_a_template_that_closes_the_reasoning_it_opened_is_found_by_comparison() -> None:
    tokenizer = tiny.tokenizer(chat_template=REASONING)
    renderer = Renderer(tokenizer)
    prompt, response = rendered(renderer, QUESTION, (assistant("<think>hm</think>the cat"),))
    assert prompt == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n"
    assert response == "the cat<|im_end|>\n"
    assert renderer.rewritten == 1


def test_a_template_that_strips_earlier_reasoning_once_a_response_follows_keeps_the_responses_own() -> None:
    tokenizer = tiny.tokenizer(chat_template=LAST_REASONS)
    renderer = Renderer(tokenizer)
    prompt = (*QUESTION, assistant("<think>old</think>yes"), user("why"))
    prompt_text, response = rendered(renderer, prompt, (assistant("<think>new</think>the cat"),))
    assert prompt_text == (
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\nold\n</think>\nyes<|im_end|>\n"
        "<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\n"
    )
    assert renderer.rewritten == 1
    # Not a letter of the response's own reasoning is cut off with the prompt's.
    assert response.endswith("new\n</think>\nthe cat<|im_end|>\n")


def test_a_template_that_refuses_a_system_message_says_why() -> None:
    renderer = Renderer(tiny.tokenizer(chat_template=NO_SYSTEM))
    assert renderer.prompt_text(QUESTION).startswith("<|im_start|>user")
    with pytest.raises(TemplateRefused, match="System role not supported"):
        renderer.prompt_text((Message("system", "be brief"), *QUESTION))


def test_a_template_without_an_end_gets_the_eos_once() -> None:
    tokenizer = tiny.tokenizer(chat_template=NO_END)
    renderer = Renderer(tokenizer)
    prompt, response = tokens(renderer, QUESTION, ANSWER)
    assert prompt == ids(tokenizer, "### user: hi\n### assistant:")
    assert response == [*ids(tokenizer, " the cat\n"), tokenizer.eos_token_id]
    assert response.count(tokenizer.eos_token_id) == 1
    assert renderer.end_of_turn == tokenizer.eos_token_id


@pytest.mark.parametrize("template", [CHATML, REASONING, NO_END, None])
def test_every_response_ends_with_the_end_of_turn_and_nothing_stands_behind_it(template: str | None) -> None:
    renderer = Renderer(tiny.tokenizer(chat_template=template))
    answers = ["the cat", "", "a\n\nb\n", "</s> <|endoftext|> x", "é ✓ 漢"]
    texts = [renderer.response_text(QUESTION, (assistant(answer),)) for answer in answers]
    for response in renderer.encode_responses(texts):
        assert response[-1] == renderer.end_of_turn
        assert response.count(renderer.end_of_turn) == 1


def test_a_response_that_the_template_leaves_open_is_closed_all_the_same() -> None:
    """Some templates close only what they know as an assistant's turn."""
    tokenizer = tiny.tokenizer(chat_template=None)
    renderer = Renderer(tokenizer)
    _, response = tokens(renderer, QUESTION, (Message("tool", "the cat"),))
    assert response[-1] == renderer.end_of_turn
    assert response.count(renderer.end_of_turn) == 1


def test_stop_ids_are_the_end_of_turn_and_the_eos() -> None:
    tokenizer = tiny.tokenizer(chat_template=CHATML, eos_token="<|endoftext|>")
    renderer = Renderer(tokenizer)
    assert renderer.end_of_turn == 2
    assert renderer.stop_ids == {0, 2}


def test_decode_gives_the_text_back() -> None:
    for template in (CHATML, None):
        renderer = Renderer(tiny.tokenizer(chat_template=template))
        _, response = tokens(renderer, QUESTION, (assistant("the cat\nand a dog ✓"),))
        assert renderer.decode(response) == "the cat\nand a dog ✓"


def test_a_raw_continuation_keeps_the_space_it_begins_with() -> None:
    renderer = Renderer(tiny.tokenizer(), "raw")
    (response,) = renderer.encode_responses([" the cat"])
    assert renderer.decode(response) == " the cat"
    assert renderer.encode_responses([renderer.decode(response)]) == [response]


def test_encoding_nothing_gives_nothing() -> None:
    renderer = Renderer(tiny.tokenizer())
    assert renderer.encode_prompts([]) == []
    assert renderer.encode_responses([]) == []


def test_a_batch_encodes_as_its_members_do() -> None:
    renderer = Renderer(tiny.tokenizer())
    texts = [renderer.prompt_text((user("x" * n),)) for n in range(1, 6)]
    assert renderer.encode_prompts(texts) == [renderer.encode_prompts([text])[0] for text in texts]
