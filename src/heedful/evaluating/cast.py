"""Who is examined: the model, the baselines it is compared with, and the reference that it was trained from.

All that have names share weights where they can, and those of one base are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from heedful.errors import DataError, ModelError
from heedful.evaluation.subject import Subject
from heedful.models import catalog
from heedful.models.backbone import Backbone
from heedful.models.sharing import Models
from heedful.render.chat import TemplateName
from heedful.training.run_folder import RunFolder

Named = Backbone | str


@dataclass(frozen=True, slots=True)
class Cast:
    """The models of an evaluation.

    Attributes:
        model: the one that it is about.
        baselines: at least one.
        reference: what the model was trained from, which may be a baseline too; None of a model that was
            trained from nothing here.
    """

    model: Subject
    baselines: list[Subject]
    reference: Subject | None

    @property
    def order(self) -> list[Subject]:
        """All of them, each once, the model first and its reference next: they tend to share weights."""
        found = [self.model, *([self.reference] if self.reference else []), *self.baselines]
        return list({id(subject): subject for subject in found}.values())


def cast(model: Named, baselines: Sequence[Named]) -> Cast:
    """Find the models; without baselines the model is compared with its reference.

    Raises:
        ModelError: nothing of such a name.
        DataError: there are no baselines, and the model has no reference.
    """
    models = Models(one_at_a_time=True, template=template_of(model))
    own = _subject(model, models, "policy")
    reference = _reference(model, models)
    if reference is not None and reference.fingerprint == own.fingerprint:
        reference = None
    others: list[Subject] = []
    for one in baselines:
        other = _subject(one, models, "reference")
        if reference is not None and other.fingerprint == reference.fingerprint:
            reference.name = other.name
            other = reference
        if other.name in [known.name for known in others]:
            raise ModelError("this baseline is named twice.", where=other.name, mend="Name it once.")
        others.append(other)
    if not others:
        if reference is None:
            raise DataError("there is nothing to compare with.", mend="Name a baseline.")
        others.append(reference)
    for other in others:
        if other.name == own.name:
            own.name += ", again" if other.fingerprint == own.fingerprint else ", trained"
    return Cast(own, others, reference)


def _subject(model: Named, models: Models, role: str) -> Subject:
    if isinstance(model, Backbone):
        return Subject.held(model.name, model, role)
    return Subject.named(model, models)


def _reference(model: Named, models: Models) -> Subject | None:
    """What a model was trained from: a backbone without its adapter, or the weights below a run's own."""
    if isinstance(model, Backbone):
        return Subject.held(model.name, model, "reference")
    name = origin(model)
    return None if name is None else Subject.named(name, models, shown(name))


def origin(name: str) -> str | None:
    """What a run or an adapter was trained from: the last adapter folded in before it, or its base model.

    Raises:
        ModelError: nothing of that name.
    """
    source = catalog.resolve(name)
    if source.adapter is not None:
        return str(source.folded[-1]) if source.folded else source.pretrained
    run = RunFolder.around(name)  # every weight was trained, and only the run knows
    if run is None:
        return None
    started = run.info()["model"]
    return str(started["lineage"][-1] if started["lineage"] else started["base"])


def template_of(model: Named) -> TemplateName:
    """How conversations become text for a model, and for those that it is compared with: as the run was
    trained, where it had not the model's own chat template.
    """
    run = RunFolder.around(model) if isinstance(model, str) else None
    trained: TemplateName = "auto" if run is None else run.info().get("template", "auto")
    return "auto" if trained == "chat" else trained


def shown(name: str) -> str:
    """A model as its user would name it: the catalog's name, or the run and no folder within it."""
    folder, run = Path(name), RunFolder.around(name)
    if folder.parent == catalog.cache_folder() / "models":
        return folder.name
    if run is not None:
        folder = run.path
    if folder.is_absolute() and folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    return str(folder)
