"""Base models without a chat template, and tokenizers that lack one special token or another."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from heedful.errors import ModelError
from heedful.records import Message, assistant, user
from heedful.render.chat import PLAIN_TEMPLATE, Renderer
from tests import tiny
from tests.render.chat_templates import NO_END, ids, llama3_tokenizer, with_bos

PROMPT = (Message("system", "be brief"), user("hi"), assistant("yes"), user("why"))


def test_the_plain_template_reads_as_documented() -> None:
    renderer = Renderer(tiny.tokenizer(chat_template=None))
    assert renderer.template == "plain"
    assert renderer.prompt_text(PROMPT) == (
        "be brief\n\nUser: hi\n\nAssistant: yes<|im_end|>\n\nUser: why\n\nAssistant:"
    )
    assert renderer.response_text(PROMPT, (assistant("so"),)) == " so<|im_end|>\n\n"
    assert renderer.prompt_text((user("q"), Message("tool", "42"))) == "User: q\n\nTool: 42\n\nAssistant:"


def test_the_plain_template_travels_with_the_tokenizer(tmp_path: Path) -> None:
    """And with it the BOS, which the template does not write."""
    tokenizer = with_bos(tiny.tokenizer(chat_template=None, bos_token="<|endoftext|>"))
    renderer = Renderer(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again.chat_template == PLAIN_TEMPLATE
    text = renderer.prompt_text(PROMPT)
    assert Renderer(again).prompt_text(PROMPT) == text
    assert Renderer(again).encode_prompts([text]) == renderer.encode_prompts([text])


def test_plain_can_be_asked_for_where_there_is_a_chat_template() -> None:
    renderer = Renderer(tiny.tokenizer(), "plain")
    assert renderer.prompt_text((user("q"),)) == "User: q\n\nAssistant:"


def test_auto_takes_the_tokenizers_own_template() -> None:
    assert Renderer(tiny.tokenizer()).template == "chat"
    assert Renderer(tiny.tokenizer(chat_template=None)).template == "plain"


def test_chat_without_a_chat_template_is_an_error_that_helps() -> None:
    with pytest.raises(ModelError, match="no chat template") as caught:
        Renderer(tiny.tokenizer(chat_template=None), "chat")
    assert "data.template=plain" in str(caught.value)


def test_raw_adds_no_markup() -> None:
    tokenizer = tiny.tokenizer()
    renderer = Renderer(tokenizer, "raw")
    assert renderer.prompt_text(PROMPT) == "be briefhiyeswhy"
    assert renderer.response_text(PROMPT, (assistant("so "), assistant("there"))) == "so there"
    assert renderer.encode_responses(["so"]) == [[*ids(tokenizer, "so"), tokenizer.eos_token_id]]
    assert renderer.end_of_turn == tokenizer.eos_token_id


@pytest.mark.parametrize("template", ["plain", "raw"])
def test_a_prompt_without_chat_markup_gets_the_bos_the_tokenizer_would_add(template: str) -> None:
    tokenizer = with_bos(tiny.tokenizer(bos_token="<|endoftext|>"))
    prompts = Renderer(tokenizer, template).encode_prompts(["hi", "<|endoftext|>hi"])  # type: ignore[arg-type]
    assert prompts == [[0, *ids(tokenizer, "hi")]] * 2


@pytest.mark.parametrize("template", ["plain", "raw"])
def test_a_tokenizer_that_adds_no_bos_gets_none(template: str) -> None:
    tokenizer = tiny.tokenizer(bos_token="<|endoftext|>")
    renderer = Renderer(tokenizer, template)  # type: ignore[arg-type]
    assert renderer.encode_prompts(["hi"]) == [ids(tokenizer, "hi")]


def test_responses_never_get_a_bos() -> None:
    tokenizer = with_bos(tiny.tokenizer(bos_token="<|endoftext|>"))
    assert Renderer(tokenizer, "raw").encode_responses(["hi"]) == [[*ids(tokenizer, "hi"), 2]]


def test_a_second_bos_is_taken_away() -> None:
    tokenizer = llama3_tokenizer()
    bos = tokenizer.bos_token_id
    for text in ("<|begin_of_text|>" * n + "hi" for n in (1, 2, 3)):
        assert Renderer(tokenizer).encode_prompts([text]) == [[bos, *ids(tokenizer, "hi")]]


def test_two_turns_that_open_with_the_bos_token_both_keep_it() -> None:
    """ChatML models name `<|im_start|>` their BOS; only a doubled one in front is too many."""
    tokenizer = tiny.tokenizer()
    renderer = Renderer(tokenizer)
    (prompt,) = renderer.encode_prompts([renderer.prompt_text((user("hi"),))])
    assert prompt[0] == tokenizer.bos_token_id
    assert prompt.count(tokenizer.bos_token_id) == 2


@pytest.mark.parametrize("pad", ["<|im_end|>", "<|endoftext|>", None])
def test_the_pad_token_changes_nothing(pad: str | None) -> None:
    tokenizer = tiny.tokenizer(pad_token=pad)
    renderer = Renderer(tokenizer)
    text = renderer.response_text((user("hi"),), (assistant("the cat"),))
    assert renderer.encode_responses([text, text + text]) == [
        ids(tokenizer, "the cat<|im_end|>"),
        ids(tokenizer, "the cat<|im_end|>\nthe cat<|im_end|>"),
    ]


def test_no_bos_is_no_trouble() -> None:
    for template in ("chat", "plain", "raw"):
        renderer = Renderer(tiny.tokenizer(bos_token=None), template)  # type: ignore[arg-type]
        (prompt,) = renderer.encode_prompts([renderer.prompt_text((user("hi"),))])
        assert renderer.tokenizer.decode(prompt) == renderer.prompt_text((user("hi"),))


def test_no_eos_is_no_trouble_where_the_template_ends_its_turns() -> None:
    renderer = Renderer(tiny.tokenizer(eos_token=None))
    assert renderer.end_of_turn == 2
    assert renderer.stop_ids == {2}


@pytest.mark.parametrize(("chat_template", "template"), [(NO_END, "chat"), (None, "plain"), (None, "raw")])
def test_nothing_that_could_end_a_response_is_an_error(chat_template: str | None, template: str) -> None:
    tokenizer = tiny.tokenizer(chat_template=chat_template, eos_token=None, pad_token=None)
    with pytest.raises(ModelError, match="no EOS"):
        Renderer(tokenizer, template)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_default_models_own_tokenizer() -> None:
    from heedful.models.catalog import resolve

    try:
        source = resolve("smollm2-135m")
    except ModelError as error:
        pytest.skip(f"the default model is not here: {error}")
    tokenizer = AutoTokenizer.from_pretrained(source.pretrained)
    renderer = Renderer(tokenizer)
    text = renderer.prompt_text((user("What is the capital of France?"),))
    # Its template puts a system message in front where there is none.
    assert text.startswith("<|im_start|>system\n")
    assert text.endswith(
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
    )
    (response,) = renderer.encode_responses([renderer.response_text((user("hi"),), (assistant("Paris."),))])
    assert tokenizer.decode(response) == "Paris.<|im_end|>"
    assert renderer.end_of_turn == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert renderer.rewritten == 0
    (prompt,) = renderer.encode_prompts([text])
    assert tokenizer.decode(prompt) == text
