"""Models behind the protocols of `collect`, on tiny models: they sample, speak, share weights, and doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.cli import main
from heedful.collect.sampling.candidates import Plan, make_candidates
from heedful.collect.sampling.chat import CannotAnswer, Stopped
from heedful.collect.store.model import Item, Response
from heedful.collecting import ModelSampler, ModelSpeaker, reward_uncertainty
from heedful.errors import ModelError, RewardError
from heedful.models.sampler import answer
from heedful.models.sharing import Models
from heedful.records import GENERATED_BY, Message, Messages, Prompt, assistant, user
from tests import tiny
from tests.cli.command import pairs, quick

HELLO = (user("the cat sat"),)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("tiny") / "model"))


@pytest.fixture(scope="module")
def run(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A DPO run of two steps, as large as it takes to be heard."""
    folder = tmp_path_factory.mktemp("run")
    settings = quick(Path(model), pairs(folder / "pairs.jsonl"), folder / "dpo", "training.learning_rate=0.1")
    assert main(["dpo", "--quiet", *settings]) == 0
    return str(folder / "dpo")


@pytest.fixture(scope="module")
def reward(model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reward")
    assert main(["reward", "--quiet", *quick(Path(model), pairs(folder / "p.jsonl"), folder / "rm")]) == 0
    return str(folder / "rm")


def sample(
    sampler: ModelSampler, *conversations: Messages, seed: int = 1, temperature: float = 1.0, count: int = 2
):
    return sampler(conversations, temperature=temperature, count=count, seed=seed, on_done=lambda _: None)


def speak(speaker: ModelSpeaker, conversation: Messages = HELLO, *, count: int = 2, seed: int = 1):
    """The answers, and what was told of each meanwhile."""
    told: dict[int, list[str]] = {index: [] for index in range(count)}
    drawn = speaker.answer(
        conversation, count=count, seed=seed, on_text=lambda index, text: told[index].append(text)
    )
    return drawn, told


def test_a_sampler_gives_so_many_answers_to_each_conversation_in_their_order(model: str) -> None:
    sampler = ModelSampler(model, Models(), max_new_tokens=4, top_p=1.0)
    other = (user("what is the answer to this question"),)

    found = sample(sampler, HELLO, other)
    again = sample(sampler, HELLO, other)

    assert [len(answers) for answers in found] == [2, 2]
    assert found == again != sample(sampler, HELLO, other, seed=2)
    assert sample(sampler, HELLO, other, temperature=0, count=1) == [
        sample(sampler, one, temperature=0, count=1)[0] for one in (HELLO, other)
    ]
    assert {drawn.ended for answers in found for drawn in answers} <= {True, False}
    assert not sample(sampler, HELLO, temperature=0, count=1)[0][0].ended  # cut after 4 tokens


def test_a_sampler_answers_nothing_where_there_is_no_room_or_the_template_refuses(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    tiny.tokenizer(chat_template=refusing + tiny.CHATML).save_pretrained(folder)
    sampler = ModelSampler(str(folder), Models(), max_new_tokens=4, top_p=1.0)
    long = (user("the cat " * 600),)

    found = sample(sampler, long, (Message("system", "Be brief."), *HELLO), HELLO)

    assert [len(answers) for answers in found] == [0, 0, 2]
    speaker = ModelSpeaker(str(folder), Models(), temperature=1.0, max_new_tokens=4, top_p=1.0)
    with pytest.raises(CannotAnswer, match="longer than a model can read"):
        speak(speaker, long)
    with pytest.raises(CannotAnswer, match="takes no system message"):
        speak(speaker, (Message("system", "Be brief."), *HELLO))


def test_candidates_of_base_and_tuned_are_told_apart(model: str, run: str) -> None:
    models = Models(one_at_a_time=True)
    samplers = [ModelSampler(name, models, max_new_tokens=8, top_p=1.0) for name in (model, run)]
    prompts = [Prompt(HELLO), Prompt((user("what is the answer"),))]

    made = make_candidates(prompts, samplers, Plan(2, (1.0,), keep_cut=True, seed=3))

    assert {tuple(sorted(record.metadata[GENERATED_BY])) for record in made} == {
        tuple(sorted((f"{model} t=1", f"{run} t=1")))
    }
    assert made.counts.kept == 2


def test_base_and_tuned_share_their_weights_and_answer_as_each_does_alone(model: str, run: str) -> None:
    models = Models()
    base, tuned = models.get(model), models.get(run)

    assert base.backbone is tuned.backbone
    texts = []
    for voice, name in ((base, model), (tuned, run)):
        alone = Models().get(name)
        ask = {"temperature": 0.0, "max_new_tokens": 12}
        ((text, _),) = answer(voice.backbone, voice.renderer, [HELLO], role=voice.role, **ask)
        ((same, _),) = answer(alone.backbone, alone.renderer, [HELLO], role=alone.role, **ask)
        assert text == same
        texts.append(text)
    assert texts[0] != texts[1]


def test_one_at_a_time_gives_the_weights_back(model: str, run: str, tmp_path: Path) -> None:
    other = str(tiny.save(tmp_path / "other", seed=1))
    models = Models(one_at_a_time=True)
    first = models.get(model)
    assert models.get(run).backbone is first.backbone  # an adapter over the same
    assert models.get(other).backbone is not first.backbone
    assert models.get(model).backbone is not first.backbone
    with pytest.raises(ModelError):
        models.get("no-such-model")


def test_a_speaker_tells_its_text_as_it_grows(model: str) -> None:
    speaker = ModelSpeaker(model, Models(), temperature=1.0, max_new_tokens=12, top_p=1.0)

    drawn, told = speak(speaker)

    assert speaker.name == f"{model} t=1"
    assert len(drawn) == 2
    assert drawn[0] != drawn[1]
    for index, (text, _) in enumerate(drawn):
        assert len(told[index]) > 1
        assert [len(part) for part in told[index]] == sorted(len(part) for part in told[index])
        assert text.startswith(told[index][-1])
    assert speak(speaker)[0] == drawn != speak(speaker, seed=2)[0]


def test_a_speaker_can_be_stopped_at_any_token_and_speaks_again(model: str) -> None:
    speaker = ModelSpeaker(model, Models(), temperature=1.0, max_new_tokens=50, top_p=1.0)
    told: list[str] = []

    def stop(_: int, text: str) -> None:
        told.append(text)
        if len(told) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        speaker.answer(HELLO, count=1, seed=1, on_text=stop)
    assert len(told) == 3
    assert len(speak(speaker)[0]) == 2


def test_an_answer_has_no_more_room_than_the_context_leaves(model: str) -> None:
    speaker = ModelSpeaker(model, Models(), temperature=1.0, max_new_tokens=400, top_p=1.0)
    voice = Models().get(model)
    rooms = {words: voice.room(voice.encoded((user("the " * words),))) for words in range(600)}
    words, room = next((words, room) for words, room in rooms.items() if room < 20)
    assert room > 0

    ((_, ended),), told = speak(speaker, (user("the " * words),), count=1)

    assert (ended, len(told[0])) == (False, room)


def item(*responses: str) -> Item:
    return Item(1, "i", HELLO, tuple(Response((assistant(text),)) for text in responses))


def test_the_smaller_the_gap_between_the_best_two_the_larger_the_doubt(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def score(prompts, responses):\n    return [float(len(text)) for text in responses]\n")
    told: list[tuple[int, int]] = []
    doubts = reward_uncertainty(f"{file}:score", progress=lambda *seen: told.append(seen))

    found = doubts([item("aa", "bb"), item("a", "bbbb"), item("a", "bbbbb", "cccc", ""), item("a")])

    assert found == [1.0, 1 / (1 + 3), 1 / (1 + 1), 0.0]
    assert told == [(9, 9)]


def test_a_reward_sees_the_turns_before_an_answers_last_words(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text("def score(prompts, responses):\n    return [float(len(p)) for p in prompts]\n")
    turns = (assistant("Let me look."), Message("tool", "42"), assistant("It is 42."))
    two = Item(1, "i", HELLO, (Response(turns), Response((assistant("No idea."),))))
    (doubt,) = reward_uncertainty(f"{file}:score")([two])
    long, short = len("user: the cat sat\nassistant: Let me look.\ntool: 42"), len("the cat sat")
    assert doubt == pytest.approx(1 / (1 + long - short))


def test_a_reward_model_doubts(reward: str) -> None:
    (same, other) = reward_uncertainty(reward)([item("the cat", "the cat"), item("the cat", "the dog ran")])
    assert same == pytest.approx(1.0, abs=1e-4)
    assert 0 < other < 1


def test_what_is_no_reward_is_a_users_mistake(run: str) -> None:
    with pytest.raises(RewardError, match="a run of the stage dpo"):
        reward_uncertainty(run)([item("a", "b")])


@pytest.mark.slow
def test_the_default_model_makes_candidates_and_speaks() -> None:
    models = Models()
    sampler = ModelSampler("smollm2-135m", models, max_new_tokens=24, top_p=0.95)
    prompts = [Prompt((user("Name one colour of the rainbow."),)), Prompt((user("What is 2 + 2?"),))]

    made = make_candidates(prompts, [sampler], Plan(3, (0.7, 1.0), keep_cut=True))

    assert made.counts.kept == 2
    assert all(len({text[-1].content for text in record.responses}) >= 2 for record in made)
    speaker = ModelSpeaker("smollm2-135m", models, temperature=0.7, max_new_tokens=24, top_p=0.95)
    drawn, _ = speak(speaker, (user("What is the capital of France?"),))
    assert any("Paris" in text for text, _ in drawn)
