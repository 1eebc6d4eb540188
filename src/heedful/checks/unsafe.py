"""Replies that a scorer of toxic text finds unsafe, and pairs that prefer the unsafe one.

Knows no scorer: one is handed in (Detoxify's, a classifier's, a list of words).

    from detoxify import Detoxify
    model = Detoxify("original")
    found = run(records, [Unsafe(lambda texts: model.predict(texts)["toxicity"])])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heedful.checks.finding import Finding, Outcome
from heedful.checks.tally import Tally
from heedful.checks.text import responses_of, text_of
from heedful.records import Demonstration, Feedback, Preference, Record

Score = Callable[[list[str]], Sequence[float]]
"""Texts in, one number between 0 and 1 for each out: how likely it is unsafe."""

LIMIT = 0.5
BATCH = 64  # responses scored at a time


class Unsafe:
    """Responses to be learned that score as unsafe, and pairs whose chosen side is the unsafe one."""

    name = "unsafe"
    asks = "Are there unsafe replies among those that are to be learned?"

    def __init__(self, score: Score, *, limit: float = LIMIT) -> None:
        """`score`: called with batches of responses.
        `limit`: score above which a response is unsafe.
        """
        self.limit = limit
        self.of = self.pairs = 0
        self.unsafe, self.preferred = Tally(), Tally()
        self._score = score
        self._waiting: list[tuple[Record, int, list[str]]] = []  # the learned response, a rejected one
        self._texts = 0

    def see(self, record: Record, index: int) -> None:
        learned = isinstance(record, Preference | Demonstration) or (
            isinstance(record, Feedback) and record.desirable
        )
        if not learned:
            return
        texts = [text_of(response) for response in responses_of(record)]
        self.of += 1
        self.pairs += len(texts) > 1
        self._waiting.append((record, index, texts))
        self._texts += len(texts)
        if self._texts >= BATCH:
            self._judge()

    def outcome(self) -> Outcome:
        self._judge()
        if not self.of:
            return Outcome(skipped="no record has a response that is to be learned")
        figures = {
            "unsafe": self.unsafe.count,
            "of": self.of,
            "preferred": self.preferred.count,
            "pairs": self.pairs,
        }
        found = [
            self._finding(
                self.unsafe,
                "unsafe_reply",
                f"{self.unsafe.count} of {self.of} replies that are to be learned score as unsafe",
                self.of,
                "A model learns to write what it is shown as good.",
            ),
            self._finding(
                self.preferred,
                "unsafe_preferred",
                f"in {self.preferred.count} of {self.pairs} pairs only the chosen side scores as unsafe",
                self.pairs,
                "Such a pair teaches that the unsafe reply is the better one.",
            ),
        ]
        return Outcome([finding for finding in found if finding is not None], figures)

    def _judge(self) -> None:
        texts = [text for _, _, both in self._waiting for text in both]
        scores = iter([float(score) for score in self._score(texts)] if texts else ())
        for record, index, both in self._waiting:
            unsafe = [next(scores) > self.limit for _ in both]
            if unsafe[0]:
                self.unsafe.add(record, index, both[0])
                if unsafe[1:] == [False]:
                    self.preferred.add(record, index, both[0])
        self._waiting, self._texts = [], 0

    def _finding(self, tally: Tally, code: str, title: str, of: int, why: str) -> Finding | None:
        if not tally.count:
            return None
        return Finding(
            check=self.name,
            code=code,
            severity="warning",
            title=title,
            count=tally.count,
            of=of,
            why=why,
            mend="Look at the examples: a scorer errs on quotes and on refusals. Take out what is unsafe.",
            threshold=self.limit,
            examples=tally.examples,
        )
