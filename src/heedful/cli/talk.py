"""`heedful generate` and `heedful chat`: ask a model, once or in a conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from heedful.errors import DataError, ModelError
from heedful.records import Message, Messages, assistant, user

if TYPE_CHECKING:
    from heedful.models.backbone import Backbone
    from heedful.models.sampler import Sample
    from heedful.render.chat import Renderer

HELP = "Ctrl-C stops an answer, /reset forgets the conversation, /quit or Ctrl-D leaves."

Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A catalog name, a folder, a run, an adapter, a .gguf file or a hub id.",
        show_default="the default model",
    ),
]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Cut an answer after so many tokens.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token each time.")]
TopP = Annotated[
    float, typer.Option(min=0.01, max=1.0, help="Choose among the tokens that hold this probability.")
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same answers.")]
System = Annotated[str | None, typer.Option(metavar="TEXT", help="A system message before the prompt.")]
Template = Annotated[
    Literal["auto", "chat", "plain", "raw"],
    typer.Option(help="How a conversation becomes text: data.template of a recipe."),
]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A loaded model that answers conversations."""

    backbone: Backbone
    renderer: Renderer
    options: dict[str, Any]
    system: Messages = ()

    def answer(self, conversations: Sequence[Messages], **options: Any) -> list[tuple[str, Sample]]:
        """Answers as `heedful.models.sampler.answer` gives them.

        Raises:
            ModelError: the chat template refuses a conversation.
        """
        from heedful.models.sampler import answer
        from heedful.render.chat import TemplateRefused

        asked = [(*self.system, *conversation) for conversation in conversations]
        try:
            return answer(self.backbone, self.renderer, asked, **{**self.options, **options})
        except TemplateRefused as error:
            mend = "Leave --system out, or use --template plain."
            raise ModelError(f"the chat template refuses this conversation: {error}.", mend=mend) from error


def generate(
    prompts: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="Without one: standard input, one a line.", show_default=False),
    ] = None,
    model: Model = None,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    seed: Seed = 0,
    system: System = None,
    template: Template = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """Answer one or more prompts."""
    asked = _prompts(prompts)
    sampling = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p, "seed": seed}
    speaker = _load(model, system, template, sampling)
    answers = speaker.answer([(user(prompt),) for prompt in asked])
    for prompt, (text, sample) in zip(asked, answers, strict=True):
        if as_json:
            row = {"prompt": prompt, "response": text, "ended": sample.ended, "tokens": len(sample.tokens)}
            typer.echo(json.dumps(row, ensure_ascii=False))
        elif len(asked) == 1:
            typer.echo(text)
        else:
            typer.echo(f"> {prompt}\n{text}\n")


def chat(
    model: Model = None,
    max_new_tokens: MaxNewTokens = 512,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    seed: Seed = 0,
    system: System = None,
    template: Template = "auto",
) -> None:
    """Talk with a model in the terminal; it remembers the conversation."""
    sampling = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
    speaker = _load(model, system, template, sampling)
    typer.echo(f"{speaker.backbone.name}. {HELP}", err=True)
    conversation: Messages = ()
    while (said := _listen()) is not None:
        if said == "/quit":
            break
        if said == "/reset":
            conversation = ()
            typer.echo("The conversation is forgotten.", err=True)
        elif said.startswith("/"):
            typer.echo(HELP, err=True)
        elif said:
            # Another seed each turn: a question asked again may be answered otherwise.
            reply = _reply(speaker, (*conversation, user(said)), seed + len(conversation))
            if reply is not None:
                conversation = (*conversation, user(said), reply)


def _listen() -> str | None:
    """What the user says next; None at the end."""
    try:
        return input("> ").strip()
    except EOFError:
        typer.echo()
        return None


def _reply(speaker: Speaker, conversation: Messages, seed: int) -> Message | None:
    """Stream one answer to the terminal; what was said before Ctrl-C counts, unless that is nothing."""
    stream = Stream(speaker.renderer)
    try:
        speaker.answer([conversation], seed=seed, on_token=stream.put)
    except KeyboardInterrupt:
        typer.echo(" [stopped]", nl=False)
    stream.finish()
    typer.echo()
    return assistant(stream.text) if stream.text else None


class Stream:
    """Prints a response while it grows."""

    def __init__(self, renderer: Renderer) -> None:
        from heedful.render.growing import Growing

        self.text = ""
        self._growing = Growing(renderer)

    def put(self, index: int, token: int) -> None:
        self._show(self._growing.put(token))

    def finish(self) -> None:
        self._show(self._growing.finish())

    def _show(self, text: str) -> None:
        typer.echo(text[len(self.text) :], nl=False)
        self.text = text


def _prompts(given: list[str] | None) -> list[str]:
    if not given and sys.stdin.isatty():
        mend = 'Say heedful generate "Why is the sky blue?", or pipe prompts in.'
        raise DataError("there is no prompt.", mend=mend)
    prompts = given or [line.strip() for line in sys.stdin if line.strip()]
    if not prompts or not all(prompt.strip() for prompt in prompts):
        raise DataError("a prompt is empty." if prompts else "standard input holds no prompt.")
    return prompts


def _load(model: str | None, system: str | None, template: Any, options: dict[str, Any]) -> Speaker:
    from heedful.models.loading import load
    from heedful.recipe import ModelSettings
    from heedful.render.chat import Renderer

    backbone = load(model or ModelSettings().name)
    renderer = Renderer(backbone.tokenizer, template)
    return Speaker(backbone, renderer, options, (Message("system", system),) if system else ())
