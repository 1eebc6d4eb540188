"""Models behind the protocols of `collect`: samplers of candidates, speakers of a chat, a reward's doubts.

Puts the floors below together. Torch is imported when the first model is asked for, and not before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from heedful.collect.sampling.candidates import generator
from heedful.collect.sampling.chat import CannotAnswer, OnText
from heedful.collect.sampling.journal import Drawn
from heedful.collect.store.model import Item
from heedful.models.sharing import Models
from heedful.records import Messages

if TYPE_CHECKING:
    from heedful.models.rewards import Reward

SCORED_AT_ONCE = 64  # responses handed to a reward together

TOO_LONG = "The conversation is longer than a model can read. Begin a new one."
REFUSED = "A model's chat template refuses this conversation; most likely it takes no system message."


class ModelSampler:
    """A model as `candidates.Sampler`.

    Args:
        max_new_tokens: an answer is cut after so many.
        top_p: choose among the tokens that hold this probability.
    """

    def __init__(self, name: str, models: Models, *, max_new_tokens: int, top_p: float) -> None:
        self.name = name
        self._models = models
        self._limit, self._top_p = max_new_tokens, top_p

    def __call__(
        self,
        conversations: Sequence[Messages],
        *,
        temperature: float,
        count: int,
        seed: int,
        on_done: Callable[[int], None],
    ) -> list[list[Drawn]]:
        """None to a conversation that the chat template refuses, or that leaves no room for an answer."""
        from heedful.models.sampler import answer

        voice = self._models.get(self.name)
        taken = [
            at
            for at, conversation in enumerate(conversations)
            if not voice.cannot_answer(conversation, self._limit)
        ]
        found: list[list[Drawn]] = [[] for _ in conversations]
        with self._models.lock:
            answers = answer(
                voice.backbone,
                voice.renderer,
                [conversations[at] for at in taken],
                role=voice.role,
                samples=count,
                temperature=temperature,
                top_p=self._top_p,
                max_new_tokens=self._limit,
                seed=seed,
                on_done=on_done,
            )
        for number, (text, sample) in enumerate(answers):
            found[taken[number // count]].append(Drawn(text, sample.ended))
        return found


class ModelSpeaker:
    """A model as `chat.Speaker`; arguments as of `ModelSampler`."""

    def __init__(
        self, name: str, models: Models, *, temperature: float, max_new_tokens: int, top_p: float
    ) -> None:
        self.name = generator(name, temperature)
        self._model, self._models = name, models
        self._temperature, self._limit, self._top_p = temperature, max_new_tokens, top_p

    def load(self) -> None:
        """Load the model now, so that the first answer need not wait for it."""
        self._models.get(self._model)

    def answer(self, conversation: Messages, *, count: int, seed: int, on_text: OnText) -> list[Drawn]:
        """As `chat.Speaker.answer`: all answers in one batch, whatever is being computed elsewhere first."""
        from heedful.models.sampler import answer
        from heedful.render.chat import TemplateRefused
        from heedful.render.growing import Growing

        with self._models.lock:
            voice = self._models.get(self._model)
            try:
                room = voice.room(voice.encoded(conversation))
            except TemplateRefused as error:
                raise CannotAnswer(REFUSED) from error
            if room is not None and room < 1:
                raise CannotAnswer(TOO_LONG)
            growing = [Growing(voice.renderer) for _ in range(count)]
            answers = answer(
                voice.backbone,
                voice.renderer,
                [conversation],
                role=voice.role,
                samples=count,
                temperature=self._temperature,
                top_p=self._top_p,
                max_new_tokens=self._limit if room is None else min(self._limit, room),
                seed=seed,
                on_token=lambda index, token: on_text(index, growing[index].put(token)),
            )
        return [Drawn(text, sample.ended) for text, sample in answers]


class RewardUncertainty:
    """How unsure a reward is which response of an item is best, as `collect.work.order.Uncertainty`.

    1 / (1 + the gap between its scores of the best two): 1 where it cannot tell them apart, near 0 where it
    is sure, and 0 of an item with one response. What is a large gap differs between rewards; the order does
    not.

    Args:
        name: a reward run, its adapter or merged folder, a classifier, a Python function or an HTTP endpoint.
        progress: told how many responses are scored, of how many.
    """

    def __init__(self, name: str, *, progress: Callable[[int, int], None] | None = None) -> None:
        self.name = name
        self._progress = progress
        self._reward: Reward | None = None

    def __call__(self, items: Sequence[Item]) -> list[float]:
        """Raises RewardError or ModelError where the reward cannot be had, or gives no finite scores."""
        scores = iter(self._scores(items))
        return [_doubt(sorted((next(scores) for _ in item.responses), reverse=True)) for item in items]

    def _scores(self, items: Sequence[Item]) -> list[float]:
        """Of every response of every item, one after the other."""
        from heedful.models.rewards import checked

        reward = self._loaded()
        asked = [(item.prompt, response.turns) for item in items for response in item.responses]
        found: list[float] = []
        for begin in range(0, len(asked), SCORED_AT_ONCE):
            some = asked[begin : begin + SCORED_AT_ONCE]
            # A reward scores the assistant's last words; turns before them belong to what it answers.
            prompts = [(*prompt, *turns[:-1]) for prompt, turns in some]
            found += checked(reward, prompts, [turns[-1].content for _, turns in some]).tolist()
            if self._progress is not None:
                self._progress(len(found), len(asked))
        return found

    def _loaded(self) -> Reward:
        from heedful.models.rewards import standalone
        from heedful.recipe import RewardSource

        if self._reward is None:
            self._reward = standalone(RewardSource.named(self.name))
        return self._reward


def reward_uncertainty(name: str, *, progress: Callable[[int, int], None] | None = None) -> RewardUncertainty:
    """The doubts of a reward, for the order `uncertain`; see `RewardUncertainty`."""
    return RewardUncertainty(name, progress=progress)


def _doubt(scores: Sequence[float]) -> float:
    """Of scores from the best to the worst."""
    return 0.0 if len(scores) < 2 else 1 / (1 + scores[0] - scores[1])
