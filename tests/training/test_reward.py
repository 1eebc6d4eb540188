"""A reward model learns from pairs, rankings and ratings, and leaves as something others can load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSequenceClassification

import heedful
from heedful.errors import DataError
from heedful.models.backbone import Backbone
from heedful.models.scoring import score
from heedful.objectives.reward import bradley_terry, plackett_luce, regression
from heedful.recipe import RewardObjective, RewardRecipe, RewardTraining
from heedful.records import Preference, Ranking, Rating, assistant, user
from heedful.render.chat import Renderer
from heedful.render.packing import pack
from heedful.render.rows import Rows, render
from heedful.render.truncate import Limits
from heedful.training.reward import RewardStage, center, prepare
from heedful.training.tracking import Reporter
from tests import tiny
from tests.training import small

QUESTION = (user("what is it?"),)
RANKING = Ranking(QUESTION, ((assistant("a cat"),), (assistant("dog ran"),), (assistant("mat"),)), (2, 1, 2))
RATINGS = [Rating(QUESTION, (assistant("the house"),), 4.5), Rating(QUESTION, (assistant("no"),), 2.1)]
PAIR = Preference(
    QUESTION, (assistant("yes"),), (assistant("no no"),), margin=0.5, probability=0.8, weight=2.0
)


def rendered(records: list[Any]) -> Rows:
    return render(records, Renderer(tiny.tokenizer()), Limits(200))


def scorer(seed: int = 0) -> Backbone:
    """A tiny backbone whose reward role says something."""
    backbone = tiny.backbone()
    backbone.train_lora("reward", rank=4)
    backbone.add_head("reward", seed=seed)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in backbone.trainable().items():
            if "lora_B" in name:
                parameter.normal_(0, 0.1, generator=generator)
    return backbone


def test_a_mix_of_kinds_in_one_pack_is_the_sum_of_their_losses() -> None:
    rows = rendered([PAIR, RANKING, *RATINGS])
    scores = torch.tensor([0.3, -0.2, 1.0, 0.4, -0.5, 2.0, 1.0], requires_grad=True)
    (packed,) = pack(list(rows), 1000)
    members = list(packed.rows)
    stage = RewardStage(rows, RewardObjective(label_smoothing=0.1, centering=0.01))
    # The pack has its own order; `scores` are given in the rows'.
    parts = dict(enumerate(scores.split([2, 3, 1, 1])))
    found, metrics = stage.loss(torch.cat([parts[index] for index in members]), packed, members)
    pair, _ = bradley_terry(
        scores[:1],
        scores[1:2],
        margins=torch.tensor([0.5]),
        probabilities=torch.tensor([0.8]),
        label_smoothing=0.1,
        centering=0.01,
        weights=torch.tensor([2.0]),
    )
    ranking, _ = plackett_luce(scores[2:5], torch.tensor([2, 1, 2]))
    ratings, _ = regression(scores[5:], torch.tensor([4.5, 2.1]))
    torch.testing.assert_close(found, pair.sum() + ranking + ratings.sum())
    assert metrics["accuracy"].numel() == 3  # one of the pair, two of the ranking
    assert metrics["error"].numel() == 2
    assert [stage.weight(index) for index in range(4)] == [2.0, 1.0, 1.0, 1.0]


def test_margins_can_be_left_aside() -> None:
    rows = rendered([PAIR])
    (packed,) = pack(list(rows), 1000)
    scores = torch.tensor([0.3, -0.2])
    with_margins, _ = RewardStage(rows, RewardObjective()).loss(scores, packed, [0])
    without, _ = RewardStage(rows, RewardObjective(margins=False)).loss(scores, packed, [0])
    assert with_margins > without


def test_the_score_is_read_at_the_last_token_packed_or_padded() -> None:
    backbone, rows = scorer(), rendered([PAIR, RANKING])
    (packed,) = pack(list(rows), 1000)
    role = backbone.role("reward")
    with torch.no_grad():
        found = role(packed)
        role.force_padded = True
        torch.testing.assert_close(role(packed), found, atol=1e-5, rtol=0)
        with backbone.active("reward") as model:
            alone = []
            for row in (rows[index] for index in packed.rows):
                for response in row.responses:
                    out = model.get_decoder()(torch.tensor([row.prompt + response])).last_hidden_state[0, -1]
                    alone.append(float(backbone.heads["reward"](out)))
    torch.testing.assert_close(found, torch.tensor(alone), atol=1e-5, rtol=0)


def test_a_reward_model_learns_what_people_prefer(tmp_path: Path) -> None:
    pairs = small.pairs(40)
    backbone = tiny.backbone()
    outcome = small.train(
        "reward",
        tmp_path / "run",
        given=small.Given(pairs[:32], pairs[32:], backbone),
        epochs=4,
        learning_rate=1e-2,
    )
    assert outcome.evaluation["accuracy"] > 0.9  # every rejected response begins with "no"
    assert outcome.evaluation["loss"] < 0.4
    mean = json.loads((outcome.run / "adapter" / "heedful_reward.json").read_text())["mean"]
    rows = rendered(pairs[:32])
    centred = score(backbone.role("reward"), list(rows))[:, 0]
    assert float(centred.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(backbone.heads["reward"].offset) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("record", "better"),
    [
        (PAIR, "yes"),
        (replace(PAIR, probability=None), "yes"),
        (replace(PAIR, probability=0.2), "no no"),
        (RANKING, "dog ran"),
        (RATINGS[0], "the house"),
    ],
)
def test_zero_is_the_score_of_what_people_prefer(record: Any, better: str) -> None:
    backbone = scorer()
    alone = rendered([Rating(QUESTION, (assistant(better),), 0.0)])
    expected = float(score(backbone.role("reward"), list(alone)))
    center(backbone, rendered([record]), RewardTraining(), Reporter(quiet=True))
    assert float(backbone.heads["reward"].offset) == pytest.approx(expected, abs=1e-5)


def test_zero_is_taken_over_all_of_a_file_and_not_over_its_beginning() -> None:
    backbone = scorer()
    first, second = rendered(RATINGS)
    one, other = score(backbone.role("reward"), [first, second]).flatten().tolist()
    rows, offset = Rows([first] * 300 + [second] * 300), backbone.heads["reward"].offset

    def behind(seed: int) -> float:
        """How many of the drawn rows were of the second half."""
        center(backbone, rows, RewardTraining(seed=seed), Reporter(quiet=True))
        return 64 * (float(offset) - one) / (other - one)

    assert behind(0) == pytest.approx(round(behind(0)), abs=0.05)
    assert behind(0) == pytest.approx(32, abs=16)
    assert behind(0) != behind(1)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt2"])
@pytest.mark.parametrize("merged", [True, False])
def test_it_leaves_as_a_sequence_classifier(architecture: str, merged: bool, tmp_path: Path) -> None:
    base = tmp_path / "base"
    tiny.save(base, architecture)
    backbone = heedful.load(str(base), dtype="float32")
    run = small.train(
        "reward",
        tmp_path / "run",
        given=small.Given(small.pairs(12), None, backbone),
        merged=True,
        learning_rate=1e-2,
    ).run
    rows = rendered([PAIR, RANKING])
    head = backbone.heads["reward"]
    expected = [
        float(value) + float(head.offset)
        for row in rows
        for value in score(backbone.role("reward"), [row]).flatten()
    ]
    if merged:
        model = AutoModelForSequenceClassification.from_pretrained(run / "merged")
    else:
        bare = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
        model = PeftModel.from_pretrained(bare, str(run / "adapter"))
    texts = [row.prompt + response for row in rows for response in row.responses]
    with torch.no_grad():
        found = [float(model(input_ids=torch.tensor([ids])).logits[0, 0]) for ids in texts]
    assert found == pytest.approx(expected, abs=1e-4)


def rated(aspect: str, count: int, prompt: str = "what") -> list[Rating]:
    """Ratings of one aspect, each of a prompt of its own."""
    return [
        Rating((user(f"{prompt} {n}"),), (assistant("the cat"),), float(n), aspect, id=f"{aspect}-{n}")
        for n in range(count)
    ]


@pytest.mark.parametrize("held_out", [False, True])
def test_ratings_of_several_aspects_are_refused(held_out: bool, tmp_path: Path) -> None:
    kind, honest = rated("kindness", 3), rated("honesty", 2)
    given = small.Given([*kind, *small.pairs(2)], honest) if held_out else small.Given([*kind, *honest])
    told = r"of 2 aspects \(kindness 3, honesty 2\).*Pick one with objective\.aspect=kindness"
    with pytest.raises(DataError, match=told):
        small.train("reward", tmp_path / "run", given=replace(given, backbone=tiny.backbone()))


def test_the_aspect_that_is_picked_is_learned_and_the_others_are_counted(tmp_path: Path) -> None:
    kind, honest = rated("kindness", 4), rated("honesty", 3)
    given = small.Given([*kind, *honest, *small.pairs(2)], [*kind[:1], *honest[:2]], tiny.backbone())
    recipe = small.recipe("reward", tmp_path / "run", aspect="honesty")
    assert isinstance(recipe, RewardRecipe)
    found = prepare(recipe, given, reporter=small.QUIET)
    assert {row.record.aspect for row in found.train if isinstance(row.record, Rating)} == {"honesty"}
    assert (len(found.train), len(found.held_out)) == (5, 2)
    assert found.counts()["read"] == {
        "records to learn from": {"read": 9, "kept": 5, "quarantined": {"other_aspect": 4}},
        "records to judge by": {"read": 3, "kept": 2, "quarantined": {"other_aspect": 1}},
    }
    assert [row.where for row in found.left_out()] == [record.id for record in (*kind, kind[0])]


def test_an_aspect_that_no_rating_has_is_refused(tmp_path: Path) -> None:
    for records, told in ((rated("kindness", 3), "kindness 3"), (small.pairs(3), "no ratings")):
        given = small.Given(records, None, tiny.backbone())
        with pytest.raises(DataError, match=rf"no rating is of the aspect honesty \(found: {told}\)"):
            small.train("reward", tmp_path / "run", given=given, aspect="honesty")


def test_demonstrations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="learns from preferences or rankings or ratings"):
        small.train(
            "reward", tmp_path / "run", given=small.Given(small.demonstrations(3), None, tiny.backbone())
        )
