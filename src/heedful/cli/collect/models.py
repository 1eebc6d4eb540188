"""`heedful collect candidates` and `heedful collect chat`: what needs models to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.collect.opening import FOLDER, Address, Folder, open_project
from heedful.cli.collect.running import Serving
from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.cli.talk import MaxNewTokens, Temperature, TopP
from heedful.errors import DataError, Interrupted

if TYPE_CHECKING:
    from heedful.collect.sampling.candidates import Made
    from heedful.collecting import ModelSpeaker

NAMES = "A catalog name, a folder, a run, an adapter, a .gguf file or a hub id"


def candidates(
    prompts: Annotated[
        list[Path], typer.Argument(metavar="PROMPTS...", help="Prompts, or data of any kind that have some.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.")],
    reading: Reading,
    writing: Writing,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"{NAMES}; may repeat.", show_default="the default model"),
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(min=0.0, help="Every model answers at each; may repeat.", show_default="0.7 and 1.0"),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="The most responses of a prompt.")] = 4,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Answers of each model at each temperature; more than are kept make up for duplicates.",
            show_default="COUNT shared out",
        ),
    ] = None,
    max_new_tokens: MaxNewTokens = 256,
    top_p: TopP = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same answers.")] = 0,
    system: Annotated[
        str, typer.Option(metavar="TEXT", help="A system message for prompts without one.")
    ] = "",
    keep_responses: Annotated[
        bool, typer.Option("--keep-responses", help="Take the data's own responses as candidates too.")
    ] = False,
    keep_cut: Annotated[
        bool, typer.Option("--keep-cut", help="Keep answers that were cut at the limit.")
    ] = False,
    near: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Jaccard similarity from which on two answers are one, over 0 and at most 1.",
        ),
    ] = 0.8,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
) -> None:
    """Sample responses to prompts from one or more models, for people to compare.

    Empty answers, duplicates and near-duplicates are left out, and who wrote each is recorded, hidden from
    annotators. One model at a time is in memory.
    """
    from heedful.collect.sampling.candidates import Plan, fingerprint, make_candidates
    from heedful.collect.sampling.journal import Journal
    from heedful.collecting import ModelSampler
    from heedful.models.sharing import Models

    names, temperatures = _models(model), tuple(dict.fromkeys(temperature or (0.7, 1.0)))
    if not 0 < near <= 1:
        raise DataError(f"must be over 0 and at most 1, not {near:g}.", where="--near")
    writing.check([out], prompts)
    read = writing.read(prompts, reading)
    plan = Plan(count, temperatures, samples, near, keep_responses, keep_cut, system, seed)
    sampled = {
        "model": names, "temperature": temperatures, "samples": samples, "count": count, "seed": seed,
        "max-new-tokens": max_new_tokens, "top-p": top_p, "system": system, "prompts": fingerprint(read),
    }  # fmt: skip
    journal = Journal.beside(out, sampled, resume=resume)
    models = Models(one_at_a_time=True)
    samplers = [ModelSampler(name, models, max_new_tokens=max_new_tokens, top_p=top_p) for name in names]
    try:
        with writing.progress("sampling answers") as told:
            made = make_candidates(read, samplers, plan, journal=journal, progress=told)
    except KeyboardInterrupt:
        mend = "Go on by the same command with --resume." if len(journal) else None
        raise Interrupted("Interrupted.", mend=mend) from None
    _finish(writing, read.quarantined, made, out)
    journal.remove()


def chat(
    serving: Serving,
    models: Annotated[
        tuple[str, str] | None,
        typer.Option("--models", metavar="A B", help=f"Two models to compare. {NAMES}."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One model, of which two answers are compared.",
            show_default="the default model",
        ),
    ] = None,
    max_new_tokens: MaxNewTokens = 512,
    temperature: Temperature = 0.9,
    top_p: TopP = 0.95,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of answers and sides.", show_default="another each time")
    ] = None,
    system: Annotated[
        str, typer.Option(metavar="TEXT", help="A system message that conversations begin with.")
    ] = "",
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Say who wrote which answer once it is chosen.")
    ] = False,
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Talk to one or two models in the browser, and choose between two answers at every turn.

    Every choice goes to the project's log, and heedful collect export makes preferences of it. Which model
    wrote which answer is hidden until it is chosen.
    """
    from heedful.collect.sampling.chat import Chats
    from heedful.collecting import ModelSpeaker
    from heedful.models.sharing import Models

    names = _speakers(models, model, temperature)
    project = open_project(folder, database, make=True)
    shared = Models()
    speakers = [
        ModelSpeaker(name, shared, temperature=temperature, max_new_tokens=max_new_tokens, top_p=top_p)
        for name in names
    ]
    _load(speakers)
    chats = Chats(speakers, system=system, reveal=reveal, seed=seed)
    try:
        serving.run(project, chats=chats)
    finally:
        chats.close()


def _models(given: Sequence[str] | None) -> list[str]:
    """The models that are named, each once, or the default one."""
    from heedful.recipe import ModelSettings

    return list(dict.fromkeys(given or [ModelSettings().name]))


def _speakers(models: tuple[str, str] | None, model: str | None, temperature: float) -> list[str]:
    if models is not None and model is not None:
        raise DataError("--models and --model are both given.", mend="Say --models A B, or --model A.")
    names = _models(models or ([model] if model else None))
    if len(names) == 1 and temperature == 0:
        what = "at temperature 0 one model gives the same answer twice."
        raise DataError(what, where="--temperature", mend="Take a higher one, or two models.")
    return names


def _load(speakers: Sequence[ModelSpeaker]) -> None:
    for speaker in speakers:
        typer.echo(f"Loading {speaker.name}")
        speaker.load()


def _finish(writing: Writing, unread: Sequence[Any], made: Made, out: Path) -> None:
    """Write the candidates, and say what became of every row and every answer."""
    from heedful.collect.sampling.candidates import WORDS
    from heedful.quarantine import Kept

    whole = Kept(made, [*unread, *made.quarantined])
    writing.report(whole, (out, writing.write(made, out)))
    writing.say(f"{made.answers.total()} answers: {_listed(made.answers, WORDS)}")
    if made:
        writing.say(f"Next: heedful collect serve --data {out}")


def _listed(answers: Mapping[str, int], words: Mapping[str, str]) -> str:
    return ", ".join(f"{answers[fate]} {word}" for fate, word in words.items() if answers.get(fate))
