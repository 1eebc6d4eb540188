"""A classifier as a reward: its own tokenizer and template, its labels, and padding that changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from heedful.errors import HeedfulError, ModelError, RewardError
from heedful.models.rewards import ClassifierReward, checked
from heedful.records import Message, Messages, user
from tests import tiny
from tests.models.classifiers import decoder, encoder, save

END = "<|im_end|>"
PROMPTS: list[Messages] = [(user("the cat"),), (user("what is the answer to this question"),), (user("sat"),)]
RESPONSES = ["to the house and the dog ran to the mat and sat", "the dog ran", "the cat sat on the mat"]


def alone(folder: str, texts: list[str], *, specials: bool = True) -> Tensor:
    """The logits of each text by itself, as its own card would have one compute them: `[texts, labels]`."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    with torch.no_grad():
        rows = [tokenizer(text, add_special_tokens=specials)["input_ids"] for text in texts]
        return torch.cat([model(input_ids=torch.tensor([row])).logits for row in rows])


def plain(responses: list[str] = RESPONSES) -> list[str]:
    return [f"{prompt[0].content}\n{response}" for prompt, response in zip(PROMPTS, responses, strict=True)]


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert expected.std() > 0.05


# What it reads


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "qwen2"])
def test_a_decoder_reads_prompt_and_response_on_lines_of_their_own(tmp_path: Path, architecture: str) -> None:
    folder = decoder(tmp_path, architecture)
    reward = ClassifierReward(folder, device="cpu")
    assert reward.name == folder
    near(checked(reward, PROMPTS, RESPONSES), alone(folder, plain())[:, 0])


def test_an_encoder_with_its_own_tokenizer_and_special_tokens(tmp_path: Path) -> None:
    folder = encoder(tmp_path)
    near(checked(ClassifierReward(folder, device="cpu"), PROMPTS, RESPONSES), alone(folder, plain())[:, 0])


def test_its_own_chat_template_is_used_where_it_has_one(tmp_path: Path) -> None:
    template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}" + END + "{% endfor %}"
    folder = decoder(tmp_path, template=template)
    texts = [
        f"<|im_start|>[user] {prompt[0].content}{END}[assistant] {response}{END}"
        for prompt, response in zip(PROMPTS, RESPONSES, strict=True)
    ]
    found = checked(ClassifierReward(folder, device="cpu"), PROMPTS, RESPONSES)
    near(found, alone(folder, texts, specials=False)[:, 0])


def test_special_tokens_are_left_to_the_template(tmp_path: Path) -> None:
    folder = encoder(tmp_path, template="{% for m in messages %}{{ m.content }} house {% endfor %}")
    both = zip(PROMPTS, RESPONSES, strict=True)
    texts = [f"{prompt[0].content} house {response} house " for prompt, response in both]
    found = checked(ClassifierReward(folder, device="cpu"), PROMPTS, RESPONSES)
    near(found, alone(folder, texts, specials=False)[:, 0])


def test_a_conversation_its_template_refuses_is_shown(tmp_path: Path) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}x"
    reward = ClassifierReward(decoder(tmp_path, template=template), device="cpu")
    with pytest.raises(RewardError) as caught:
        checked(reward, [(user("a"),), (Message("system", "be kind"), user("b"))], ["one", "two"])
    message = str(caught.value)
    assert "its chat template refuses this conversation (no system here)" in message
    assert message.endswith('response: "two"')


# Padding


@pytest.mark.parametrize("pad", [None, 0, 2, -1], ids=["none", "own", "eos", "minus one"])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("ending", ["", END, END * 3], ids=["open", "ended", "ended thrice"])
def test_a_batch_scores_as_each_text_alone(
    tmp_path: Path, pad: int | None, batch_size: int, ending: str
) -> None:
    """`<|im_end|>` is the EOS and the tokenizer's padding; the configuration says the same, or another."""
    folder = decoder(tmp_path, pad_token_id=pad)
    responses = [response + ending for response in RESPONSES]
    # Alone, a configuration without a usable padding token reads a row at its very last one.
    config = json.loads((tmp_path / "config.json").read_text())
    if pad == -1:
        (tmp_path / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    expected = alone(folder, plain(responses))[:, 0]
    (tmp_path / "config.json").write_text(json.dumps(config))
    reward = ClassifierReward(folder, device="cpu", batch_size=batch_size)
    for _ in range(2):
        near(checked(reward, PROMPTS, responses), expected)


def test_the_padding_it_makes_up_is_no_token_of_the_texts(tmp_path: Path) -> None:
    reward = ClassifierReward(decoder(tmp_path, pad_token_id=None), device="cpu")
    assert reward._pad_id([[0, 1, 2], [4, 5]]) == 3
    assert reward.model.config.pad_token_id == 3


def test_nothing_to_score_is_nothing(tmp_path: Path) -> None:
    assert ClassifierReward(decoder(tmp_path), device="cpu")([], []) == []


# Length


def test_a_long_text_loses_its_beginning_and_is_counted(tmp_path: Path) -> None:
    folder = encoder(tmp_path)
    reward = ClassifierReward(folder, device="cpu", max_length=4)
    far = checked(reward, [(user("the cat sat on the mat"),)], ["dog ran"])
    assert reward.cut == 1
    assert torch.equal(far, checked(reward, [(user("house"),)], ["the dog ran"]))
    assert reward.cut == 2
    torch.testing.assert_close(far, alone(folder, ["dog ran"])[:, 0], atol=1e-4, rtol=0)


def test_it_is_never_longer_than_the_model_takes(tmp_path: Path) -> None:
    assert ClassifierReward(decoder(tmp_path), device="cpu").max_length == 512
    assert ClassifierReward(str(tmp_path), device="cpu", max_length=9000).max_length == 512
    reward = ClassifierReward(encoder(tmp_path / "short", max_position_embeddings=8), device="cpu")
    assert checked(reward, [(user("the cat " * 40),)], ["sat"]).isfinite().all()


# Labels

NAMES = {0: "bad", 1: "fair", 2: "good"}


def test_several_labels_give_the_log_odds_of_one(tmp_path: Path) -> None:
    folder = encoder(tmp_path, id2label=NAMES)
    found = checked(ClassifierReward(folder, device="cpu", label="good"), PROMPTS, RESPONSES)
    share = alone(folder, plain()).softmax(-1)[:, 2]
    near(found, (share / (1 - share)).log())


def test_two_labels_give_the_difference_of_their_logits(tmp_path: Path) -> None:
    folder = encoder(tmp_path, id2label={0: "NEGATIVE", 1: "POSITIVE"})
    logits = alone(folder, plain())
    found = checked(ClassifierReward(folder, device="cpu", label="POSITIVE"), PROMPTS, RESPONSES)
    near(found, logits[:, 1] - logits[:, 0])


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_labels_that_do_not_exclude_each_other_give_a_logit(tmp_path: Path, problem: str) -> None:
    folder = encoder(tmp_path, id2label=NAMES, problem_type=problem)
    found = checked(ClassifierReward(folder, device="cpu", label="fair"), PROMPTS, RESPONSES)
    near(found, alone(folder, plain())[:, 1])


def test_a_label_that_is_needed_or_unknown_is_told_with_those_there_are(tmp_path: Path) -> None:
    folder = encoder(tmp_path, id2label=NAMES)
    with pytest.raises(RewardError) as caught:
        ClassifierReward(folder, device="cpu")
    assert str(caught.value) == (
        f"reward {folder}: this classifier has 3 labels: bad, fair, good. "
        "Say by label= whose score is the reward."
    )
    with pytest.raises(RewardError, match="no label 'best'; there are bad, fair, good"):
        ClassifierReward(folder, device="cpu", label="best")


# Loading


def refusal(name: str) -> str:
    with pytest.raises(HeedfulError) as caught:
        ClassifierReward(name, device="cpu")
    assert isinstance(caught.value, ModelError)
    return str(caught.value)


def test_a_language_model_is_not_given_a_random_head(tmp_path: Path) -> None:
    tiny.save(tmp_path)
    assert "this is no trained classifier: score.weight is missing." in refusal(str(tmp_path))


def test_what_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    assert "no such file or folder" in refusal(str(tmp_path / "nowhere"))
    folder = decoder(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"{}")
    assert "the classifier cannot be loaded" in refusal(folder)


def test_half_precision_is_not_kept_on_a_cpu_without_it(tmp_path: Path) -> None:
    folder = save(tmp_path, tiny.CONFIGS["llama"](), tiny.tokenizer(), dtype=torch.float16)
    assert ClassifierReward(folder, device="cpu", label="LABEL_1").model.dtype == torch.float32
