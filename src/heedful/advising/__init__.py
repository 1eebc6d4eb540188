"""Advice from measurements: data are read, the model is asked, the rules of `heedful.advise` judge.

Puts the floors below together. `asking` measures the model; what follows from the figures is decided in
`heedful.advise`, which measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from heedful.advise.readiness import Readiness, readiness
from heedful.advise.tally import gather
from heedful.advising.asking import QUICK, USUAL, ask
from heedful.checking_models import MAX_LENGTH, ModelView
from heedful.models.backbone import Backbone
from heedful.quarantine import Quarantined
from heedful.records import Record
from heedful.training.tracking import Reporter


def check_readiness(
    model: Backbone | str,
    records: Iterable[Record | Quarantined],
    *,
    reporter: Reporter | None = None,
    max_length: int = MAX_LENGTH,
    seed: int = 0,
    quick: bool = False,
) -> Readiness:
    """Whether a model can do the task of these records yet: some prompts are answered, some responses scored.

    Args:
        model: a loaded backbone, asked without its adapters, or whatever `heedful.load` takes.
        records: of any kind: pairs, demonstrations, prompts alone.
        max_length: of a prompt with one response, in tokens.
        seed: of the sample that is looked at, and of the answers.
        quick: look at a third as much.

    Raises:
        DataError: there is no record, or no prompt that the model can be asked.
        ModelError: the model cannot be loaded.
    """
    said = reporter or Reporter()
    data = gather(records, seed=seed)
    view = ModelView(model, reporter=said, max_length=max_length, seed=seed)
    effort = QUICK if quick else USUAL
    found = ask(view, data.good, data.pairs, data.prompts, effort=effort, reporter=said, seed=seed)
    return readiness(found.facts)
