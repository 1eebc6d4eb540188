"""One model that is examined: what it answers, and how likely it finds responses.

By name it is loaded when something has to be asked, and not for answers that are kept already; names that
share weights share one copy of them. Knows models and records; what the findings mean is its neighbours'
work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from heedful.evaluation import generation
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.generation import Answers, Sampling
from heedful.evaluation.preference_accuracy import PairScores
from heedful.models import fingerprints
from heedful.models.backbone import Backbone
from heedful.models.catalog import resolve
from heedful.models.loading import choose_device, choose_dtype, require_language_model
from heedful.models.scoring import score, score_tokens
from heedful.models.sharing import Models, Voice
from heedful.quarantine import Kept
from heedful.records import Messages
from heedful.render.chat import Renderer
from heedful.render.rows import Renderable, Row, Rows, render
from heedful.render.truncate import Limits
from heedful.training import checkpoint

OnDone = Callable[[int], None]
Array = NDArray[np.float64]

_AT_ONCE = 64  # answers that are scored between two looks at the progress

# Other versions may answer otherwise.
_VERSIONS = ("heedful", "torch", "transformers")


class Subject:
    """A model under examination.

    Args:
        name: what findings call it.
        voice: the model, loaded where it is not yet.
        content: a hash of its files; of its weights in memory where it has none.
    """

    def __init__(self, name: str, voice: Callable[[], Voice], content: str | None = None) -> None:
        self.name = name
        self.voice = voice
        self._content = content

    @classmethod
    def named(cls, name: str, models: Models, shown: str | None = None) -> Subject:
        """What a name means to `heedful.load`.

        Raises:
            ModelError: nothing of that name, or a reward model.
        """
        source = resolve(name)
        require_language_model(*source.folded, *filter(None, [source.adapter]), source.folder)
        content = None
        if source.folder.is_dir():
            content = _content(fingerprints.of_source(source), models)
        return cls(shown or name, lambda: models.get(name), content)

    @classmethod
    def of_checkpoint(cls, name: str, folder: Path, models: Models, shown: str) -> Subject:
        """What a run was when it kept a checkpoint: its model with the checkpoint's weights.

        Raises:
            ModelError: nothing of that name.
            OSError: there are no weights in the checkpoint.
        """
        weights = fingerprints.of_file(checkpoint.weights_file(folder))
        content = None
        source = resolve(name)
        if source.folder.is_dir():
            content = _content(fingerprints.combined([fingerprints.of_source(source), weights]), models)
        read = partial(checkpoint.weights, folder)
        return cls(shown, lambda: models.filled(name, str(folder), read), content)

    @classmethod
    def held(cls, name: str, backbone: Backbone, role: str) -> Subject:
        """A role of a backbone that is loaded already."""
        voice = Voice(backbone, Renderer(backbone.tokenizer), role)
        return cls(name, lambda: voice)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that its answers depend on, sampling left out."""
        if self._content is not None:
            return self._content
        voice = self.voice()
        backbone = voice.backbone
        place = (backbone.device.type, str(backbone.compute_dtype))
        weights, tokens = backbone.fingerprint(voice.role), token_fingerprint(voice.renderer)
        return fingerprints.combined([weights, tokens, *place, *_versions()])

    def answers(
        self, prompts: Sequence[Messages], sampling: Sampling, *, on_done: OnDone | None = None
    ) -> Kept[Answers]:
        """Its answers to prompts, and which prompts it cannot answer; see `generation.answers`."""
        return generation.answers(self.voice, self.fingerprint, prompts, sampling, on_done=on_done)

    def rows(self, records: Sequence[Renderable], max_length: int) -> Rows:
        """Records as the model reads them, cut to so many tokens, or to what its context holds."""
        voice = self.voice()
        longest = min(max_length, voice.backbone.context_length or max_length)
        return render(records, voice.renderer, Limits(longest))

    def logps(self, rows: Sequence[Row], *, on_done: OnDone | None = None) -> Tensor:
        """How likely it finds the rows' responses: `[rows, responses]`, nats, fp32, on CPU."""
        voice = self.voice()
        with _evaluating(voice.backbone):
            return score(voice.language_model, rows, on_done=on_done)

    def token_logps(self, rows: Sequence[Row], *, on_done: OnDone | None = None) -> list[Array]:
        """How likely it finds each token of the rows' one response: `[rows]` arrays of `[tokens]`, nats."""
        voice = self.voice()
        found: list[Array] = []
        with _evaluating(voice.backbone):
            for begin in range(0, len(rows), _AT_ONCE):
                some = rows[begin : begin + _AT_ONCE]
                logps = score_tokens(voice.language_model, some, device=voice.backbone.device)
                found += [
                    part.double().numpy() for part in logps.split([row.response_tokens for row in some])
                ]
                if on_done is not None:
                    on_done(len(found))
        return found

    @cached_property
    def tokens(self) -> str:
        """A hash of how it reads texts; see `token_fingerprint`."""
        return token_fingerprint(self.voice().renderer)

    def answered_rows(self, answers: Sequence[Answer]) -> list[Row]:
        """Answers, token for token as they were sampled, as rows to score."""
        voice = self.voice()
        return [
            Row(str(at), voice.encoded(answer.prompt), (list(answer.ids),))
            for at, answer in enumerate(answers)
        ]


def pair_scores(logps: Tensor, rows: Sequence[Row]) -> PairScores:
    """The log-probs of rendered pairs (`[pairs, 2]`, nats) and how many tokens they are of."""
    numbers = logps.double().numpy()
    lengths = np.array([[len(response) for response in row.responses] for row in rows])
    return PairScores(numbers[:, 0], numbers[:, 1], lengths[:, 0], lengths[:, 1])


def token_fingerprint(renderer: Renderer) -> str:
    """A hash of how conversations become tokens: two models that share it read a text alike."""
    tokenizer: PreTrainedTokenizerBase = renderer.tokenizer
    vocabulary = sorted(tokenizer.get_vocab().items())
    parts = [
        repr(vocabulary),
        renderer.template,
        repr(tokenizer.chat_template),
        repr(tokenizer.special_tokens_map),
    ]
    return fingerprints.combined(parts)


@contextmanager
def _evaluating(backbone: Backbone) -> Iterator[None]:
    training = backbone.model.training
    backbone.model.eval()
    try:
        yield
    finally:
        backbone.model.train(training)


def _content(files: str, models: Models) -> str:
    """A hash of files, of how texts are read and of where the model computes."""
    device = choose_device("auto")
    place = (device.type, str(choose_dtype("auto", device)))
    return fingerprints.combined([files, models.template, *place, *_versions()])


def _versions() -> list[str]:
    return [version(name) for name in _VERSIONS]
