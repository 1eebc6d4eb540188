"""What became of each record while preferences were made of many: used for one, or left out and why.

Records go in by their place and preferences come out in the order of the first record each was made of. One
record may serve several preferences and several records one, so records are counted apart from preferences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from heedful.quarantine import Counts, Kept, Quarantined
from heedful.records import Judgement, Preference, Record

LEFT_OUT = {
    "ambiguous_item": "several records have the id of the item judged",
    "both_bad": "both responses were called bad",
    "divided": "as many thumbs up as down on the response",
    "equal_sides": "all it could be compared with is the same but for spacing",
    "low_agreement": "too few of the votes agree",
    "missing_aspect": "the response is not rated on all the aspects that the prompt's others are",
    "no_comparison": "a prompt or a demonstration: nothing says that one response is better than another",
    "no_vote": "nobody decided: skipped, or by annotators who agree with the others no better than by chance",
    "not_compared": "the mode or the limit per prompt compares others",
    "one_response": "the prompt has no other response to compare it with",
    "one_sided": "all thumbs of the prompt point the same way",
    "other_aspect": "a rating of another aspect",
    "superseded": "the annotator voted on the item again",
    "tie": "neither response is preferred",
    "too_few_votes": "the item has too few votes",
    "unknown_item": "no preference or ranking of two responses has the id of the item judged",
}
"""Every reason for which a record is left out of the preferences."""


class Pairs(Kept[Preference]):
    """Preferences made of records, in order; what was left out stands in `quarantined`.

    `len` is how many preferences there are. `counts` is of *records*: `read` of them went in, `kept` of them
    were used for at least one preference, and the others are quarantined, each once.
    """

    def __init__(
        self, made: Sequence[Preference], quarantined: Sequence[Quarantined] = (), *, used: int
    ) -> None:
        super().__init__(made, quarantined)
        self._used = used

    @property
    def counts(self) -> Counts:
        left_out = super().counts.quarantined
        return Counts(self._used + sum(left_out.values()), self._used, left_out)


Progress = Callable[[int, int | None], None]
"""Told how many records have been used, of how many in all."""

TOLD_EVERY = 1000  # preferences


class Ledger:
    """Takes down preferences and the records they are made of, and records that serve none."""

    def __init__(self, records: Sequence[Record], progress: Progress | None = None) -> None:
        self.records = records
        self._progress = progress
        self._made: list[tuple[int, Preference]] = []
        self._used: set[int] = set()
        self._left_out: dict[int, tuple[str, str]] = {}

    def make(self, preference: Preference, places: Iterable[int]) -> None:
        """A preference was made of the records at these places."""
        places = tuple(places)
        self._made.append((min(places), preference))
        self._used.update(places)
        if self._progress is not None and len(self._made) % TOLD_EVERY == 0:
            self._progress(len(self._used), len(self.records))

    def leave(self, places: Iterable[int], reason: str, detail: str = "") -> None:
        """The records at these places serve no preference, unless another time one of them does.

        Args:
            reason: of `LEFT_OUT`, which also says what the detail is where none is given.
        """
        for place in places:
            self._left_out.setdefault(place, (reason, detail or LEFT_OUT[reason]))

    def close(self, before: Sequence[Quarantined] = ()) -> Pairs:
        """All preferences, with what was left out, after what was `before` the records came here."""
        unused = [place for place in range(len(self.records)) if place not in self._used]
        left_out = [
            Quarantined(name_of(self.records[place]), *self._left_out[place], self.records[place])
            for place in unused
        ]
        made = [preference for _, preference in sorted(self._made, key=lambda entry: entry[0])]
        return Pairs(made, [*before, *left_out], used=len(self._used))


def name_of(record: Record) -> str:
    """What a person finds the record by: its id, or whose judgement of what it is."""
    if isinstance(record, Judgement):
        return f"{record.item} by {record.annotator}"
    return record.id
