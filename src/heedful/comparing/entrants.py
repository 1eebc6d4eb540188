"""Who is compared: models and runs, the checkpoints on their way, and the reference that all started from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from heedful.errors import DataError, ModelError, RunError
from heedful.evaluating.cast import Named, origin, shown, template_of
from heedful.evaluation.subject import Subject
from heedful.models.backbone import Backbone
from heedful.models.catalog import resolve
from heedful.models.rewards import is_reward
from heedful.models.sharing import Models
from heedful.render.chat import TemplateName
from heedful.training import checkpoint
from heedful.training.loop import Outcome
from heedful.training.run_folder import RunFolder

_NAME_IT = "Name what KL is measured from by --reference."


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model that is measured.

    Attributes:
        subject: the model; its name is unique.
        run: the name of the model that it is, or is a checkpoint of.
        step: of training, of a checkpoint.
        beta: the KL coefficient that its run was trained with, where it has one.
        draw: which draw of the same weights it is, where a model is compared with itself; 0 for the first.
    """

    subject: Subject
    run: str
    step: int | None = None
    beta: float | None = None
    draw: int = 0


@dataclass(frozen=True, slots=True)
class Entrants:
    """All that is measured.

    Attributes:
        models: those compared.
        checkpoints: of these, in the order of models and steps.
        reference: what KL is measured from; None where the models have no common one.
        notes: why something is not measured.
    """

    models: list[Entrant]
    checkpoints: list[Entrant] = field(default_factory=list)
    reference: Subject | None = None
    notes: list[str] = field(default_factory=list)


def enter(
    models: Sequence[Outcome | Named], *, reference: Named | None = None, checkpoints: bool = False
) -> Entrants:
    """Find the models, their checkpoints where these are wanted, and what all were trained from.

    Args:
        reference: what KL is measured from; what all were trained from when absent.

    Raises:
        ModelError: nothing of such a name, one named twice, or runs that read conversations differently.
        DataError: fewer than two models, without checkpoints to compare.
        RunError: a run's record cannot be read.
    """
    names: list[Named] = [str(one.run) if isinstance(one, Outcome) else one for one in models]
    if len(names) < 2 and not (names and checkpoints):
        raise DataError("there are not two models to compare.", mend="Name at least two.")
    for name in names:
        if isinstance(name, str) and is_reward(name):
            what = "this is a reward model, and answers nothing."
            raise ModelError(what, where=name, mend="Judge it by heedful evaluate, or name it by --judge.")
    loaded = Models(one_at_a_time=True, template=_template(names))
    subjects = [_subject(one, loaded, "policy") for one in names]
    common, notes = _common(names, subjects, reference, loaded)
    entrants: list[Entrant] = []
    for name, own in zip(names, subjects, strict=True):
        if own.name in [known.run for known in entrants]:
            raise ModelError("this model is named twice.", where=own.name, mend="Name it once.")
        same = sum(known.subject.fingerprint == own.fingerprint for known in entrants)
        if common is not None and own.fingerprint == common.fingerprint and not same:
            common.name = own.name
            own = common
        entrants.append(Entrant(own, own.name, beta=_beta(name), draw=same))
    kept: list[Entrant] = []
    for name, entrant in zip(names, entrants, strict=True) if checkpoints else ():
        found, why = _checkpoints(name, entrant, loaded)
        kept += found
        if why and entrant.subject is not common:
            notes.append(why)
    if checkpoints and not kept:
        raise RunError(
            "none of these has a checkpoint that can be measured.",
            mend=" ".join(notes) or "Name a run, or leave --checkpoints out.",
        )
    return Entrants(entrants, kept, common, notes)


def _template(names: Sequence[Named]) -> TemplateName:
    runs = [name for name in names if isinstance(name, str) and RunFolder.around(name) is not None]
    found = {name: template_of(name) for name in runs}
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name}: {template}" for name, template in found.items())
        what = f"these runs read conversations differently, and no prompt is the same to all ({listed})."
        raise ModelError(what, mend="Compare runs of one template.")
    return next(iter(found.values()), "auto")


def _subject(model: Named, models: Models, role: str) -> Subject:
    if isinstance(model, Backbone):
        return Subject.held(model.name, model, role)
    return Subject.named(model, models)


def _common(
    names: Sequence[Named], subjects: Sequence[Subject], given: Named | None, models: Models
) -> tuple[Subject | None, list[str]]:
    """What KL is measured from, or a note why nothing is."""
    if given is not None:
        return _subject(given, models, "reference"), []
    found = [_origin(name, models) for name in names]
    known = {one.fingerprint for one in found if one is not None}
    # What another of them was trained from is where these start, whatever it was trained from itself.
    origins = {
        one.fingerprint: one
        for one, own in zip(found, subjects, strict=True)
        if one is not None and own.fingerprint not in known
    }
    if len(origins) == 1:
        return next(iter(origins.values())), []
    if not origins:
        return None, [f"None of these was trained from another here: no KL is measured. {_NAME_IT}"]
    listed = ", ".join(one.name for one in origins.values())
    return None, [f"These were trained from different models ({listed}): no KL is measured. {_NAME_IT}"]


def _origin(model: Named, models: Models) -> Subject | None:
    if isinstance(model, Backbone):
        return Subject.held(f"{model.name} before", model, "reference")
    name = origin(model)
    return None if name is None else Subject.named(name, models, shown(name))


def _beta(model: Named) -> float | None:
    run = RunFolder.around(model) if isinstance(model, str) else None
    found = None if run is None else run.info()["recipe"].get("objective.beta")
    return None if found is None else float(found)


def _checkpoints(name: Named, entrant: Entrant, models: Models) -> tuple[list[Entrant], str]:
    """A run's checkpoints after the first step, and why there are none."""
    run = RunFolder.around(name) if isinstance(name, str) else None
    if run is None:
        return [], ""
    assert isinstance(name, str)
    if resolve(name).adapter is None and run.info()["recipe"]["training.method"] != "full":
        return [], f"{entrant.run} is weights with an adapter folded in: name its run to measure checkpoints."
    found: list[Path] = [one for one in checkpoint.kept(run.checkpoints) if checkpoint.step_of(one) > 0]
    if not found:
        return [], f"{entrant.run} has kept no checkpoint."
    return [
        Entrant(
            Subject.of_checkpoint(name, place, models, f"{entrant.run}, step {checkpoint.step_of(place)}"),
            entrant.run,
            checkpoint.step_of(place),
            entrant.beta,
        )
        for place in found
    ], ""
