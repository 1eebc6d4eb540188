"""Overall scores beside the mean of the aspects they sum up."""

from __future__ import annotations

import math

from heedful.checks.score_scales import ByScore
from heedful.records import Rating

OVERALL = "overall"
MEAN = "aspects_mean"  # metadata of a rating: the mean of the same response's other aspects
ASPECTS = 2  # that an overall score must sum up


class Overalls(ByScore[tuple[float, float]]):
    """Records by overall score and the mean of the same response's aspects.

    The mean is what the row says it is, or that of the response's other ratings, which must follow each
    other.
    """

    def __init__(self) -> None:
        super().__init__()
        self._response = 0
        self._aspects: dict[str, float] = {}
        self._overall = (0, "")  # index and id

    def see(self, record: Rating, index: int, response: int) -> None:
        """`response`: a hash of the prompt and the response."""
        mean = record.metadata.get(MEAN) if record.aspect == OVERALL else None
        if isinstance(mean, int | float):
            self._join(record.score, float(mean), index, record.id)
            return
        if response != self._response:
            self.close()
            self._response = response
        self._aspects[record.aspect] = record.score
        if record.aspect == OVERALL:
            self._overall = index, record.id

    def close(self) -> None:
        """The response has no further ratings."""
        overall = self._aspects.pop(OVERALL, None)
        if overall is not None and len(self._aspects) >= ASPECTS:
            self._join(overall, math.fsum(self._aspects.values()) / len(self._aspects), *self._overall)
        self._aspects = {}

    def _join(self, overall: float, mean: float, index: int, id: str) -> None:
        self.add((overall, round(mean, 2)), index, id)
