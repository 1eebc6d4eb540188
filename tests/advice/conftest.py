"""A tiny model that can do a task, and one that cannot: what advice is asked about from files to recipes."""

from __future__ import annotations

import random

import pytest

from heedful.records import Demonstration, assistant, user
from heedful.training.job import Given
from tests import tiny
from tests.training import small

ANIMALS = ("cat", "dog", "mat", "house")


def question(number: int) -> str:
    return f"{number}: {small.sentence(random.Random(number), 3, 6)}?"


def reply(chance: random.Random, first: str = "the") -> str:
    return f"{first} {' '.join(chance.choices(ANIMALS, k=5))}"


@pytest.fixture(scope="session")
def unable(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that has learned nothing."""
    return str(tiny.save(tmp_path_factory.mktemp("unable") / "model"))


@pytest.fixture(scope="session")
def able(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model that answers `the` and five animals, and stops."""
    chance = random.Random(1)
    shown = [
        Demonstration((user(question(number)),), (assistant(reply(chance)),), id=str(number))
        for number in range(1000, 1160)
    ]
    folder = tmp_path_factory.mktemp("able") / "sft"
    settings = {"method": "full", "epochs": 8, "learning_rate": 1e-2, "batch_size": 16, "max_length": 128}
    small.train("sft", folder, given=Given(shown, None, tiny.backbone()), **settings)
    return str(folder)
