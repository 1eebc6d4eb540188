"""Private text: addresses, telephone and account numbers, and keys that open something.

Looked for in prompts and responses; examples show their ends only. English and European forms, found by
pattern and check digit: what it finds is mostly right, and what it does not find may still be there. Run a
recogniser of names (such as Presidio) beside it where the law asks for one.
"""

from __future__ import annotations

from heedful.checks.finding import Finding, Outcome, Severity, Table
from heedful.checks.private_patterns import masked, private_parts
from heedful.checks.tally import Tally
from heedful.checks.text import responses_of
from heedful.records import Judgement, Record

KINDS: dict[str, tuple[Severity, str, str]] = {
    "key": ("error", "a key or token", "Keys"),
    "card": ("error", "a payment card's number", "Card numbers"),
    "iban": ("error", "a bank account's number", "Account numbers"),
    "email": ("warning", "an e-mail address", "Addresses"),
    "phone": ("warning", "a telephone number", "Telephone numbers"),
}


class PrivateText:
    """E-mail addresses, telephone numbers, keys, card and account numbers in prompts and responses."""

    name = "private"
    asks = "Are there addresses, numbers or keys that belong to somebody?"

    def __init__(self) -> None:
        self.of = 0
        self.tallies = {kind: Tally() for kind in KINDS}

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            return
        self.of += 1
        # All texts at once: a search is quicker in one long text than in many short ones.
        text = "\n\n".join(m.content for messages in (record.prompt, *responses_of(record)) for m in messages)
        for kind, part in private_parts(text):
            self.tallies[kind].add(record, index, masked(part))

    def outcome(self) -> Outcome:
        if not self.of:
            return Outcome(skipped="no record has text")
        counts = {kind: tally.count for kind, tally in self.tallies.items()}
        rows = tuple((KINDS[kind][1], count) for kind, count in counts.items() if count)
        tables = (Table("Private text", ("", "records"), rows),) if rows else ()
        findings = [self._finding(kind, tally) for kind, tally in self.tallies.items() if tally.count]
        return Outcome(findings, {**counts, "of": self.of}, tables)

    def _finding(self, kind: str, tally: Tally) -> Finding:
        severity, what, plural = KINDS[kind]
        remove = severity == "error"
        return tally.finding(
            self.name,
            f"private_{kind}",
            severity,
            what,
            of=self.of,
            why="A model repeats what it was trained on; what belongs to somebody should not be among it.",
            mend=f"{plural} that are real: revoke them, take the records out: heedful check FILE --fix OUT."
            if remove
            else f"{plural} that are real: replace them with made-up ones, or take the records out.",
            remove=remove,
        )
