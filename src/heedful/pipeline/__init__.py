"""The whole pipeline from one recipe: import, check, split, SFT, readiness, DPO and PPO, evaluation, report.

Puts the floors below together as a graph of stages, each in a folder under the recipe's `output`;
`training.graph` decides what is reused, what goes on and what is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from heedful.pipeline.dry_run import describe
from heedful.pipeline.report import PAGE, report_data
from heedful.pipeline.stages import graph_of
from heedful.recipe import PipelineRecipe
from heedful.report import ReportData
from heedful.training.tracking import Reporter

__all__ = ["describe", "findings_of", "report_of", "run"]


def run(recipe: PipelineRecipe, *, redo: Sequence[str] = (), reporter: Reporter | None = None) -> list[str]:
    """Go through the stages; the names of those that were run, and not reused.

    Args:
        redo: stages to make anew; what is there is set aside.

    Raises:
        RunError: a stage's folder holds what would come out otherwise now, or the model is not ready.
        DataError: the data cannot be read, or are not as clean as asked for.
        HeedfulError: whatever else a user can mend; see `heedful.errors`.
    """
    reporter = reporter or Reporter()
    return graph_of(recipe, reporter, redo=redo).run(reporter)


def report_of(recipe: PipelineRecipe) -> Path:
    """Where the page is that shows what came of it all."""
    return Path(recipe.output) / "report" / PAGE


def findings_of(recipe: PipelineRecipe) -> ReportData:
    """What came of it all, once it has been gone through."""
    folder = Path(recipe.output)
    return report_data(recipe, folder / "split", folder / "evaluate", Reporter(quiet=True))
