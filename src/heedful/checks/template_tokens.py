"""What a tokenizer and its chat template make of the texts that they should not. Needs a tokenizer."""

from __future__ import annotations

from heedful.checks.finding import Finding, Outcome, Severity
from heedful.checks.tally import Tally
from heedful.checks.tokens import Tokens, TokenStream
from heedful.records import Record

KINDS: dict[str, tuple[Severity, str, str, str]] = {
    "template_refused": (
        "error",
        "a conversation that the chat template refuses",
        "Training leaves them out. Templates refuse system turns, or two turns of one role in a row.",
        "Mend the turns, or train with data.template=plain.",
    ),
    "special_in_text": (
        "error",
        "a special token of the tokenizer in its text",
        "It becomes the token itself: a turn ends or begins where the text only mentions it.",
        "Take it out of the text, or take the records out: heedful check FILE --fix OUT.",
    ),
    "double_bos": (
        "note",
        "a prompt that begins with two BOS where the rendered text is tokenised with special tokens",
        "Template and tokenizer add one each. Heedful keeps one; a model that sees two is off its training.",
        "Elsewhere, tokenise the rendered text with add_special_tokens=False.",
    ),
    "prompt_rewritten": (
        "note",
        "a prompt that the template writes differently once a reply follows",
        "What is trained on then differs from what is seen when sampling; its authors may intend that.",
        "Nothing, where it is the model's own template. Heedful finds the reply by comparing two renderings.",
    ),
    "boundary_merged": (
        "note",
        "a reply whose first token merges with the end of the prompt",
        "A trainer that tokenises both as one and counts the prompt's tokens masks the wrong ones. Heedful "
        "tokenises them apart, as the model sees them when it answers.",
        "Strip the white space that the replies begin with.",
    ),
}


class TemplateTokens:
    """Refused conversations, special tokens in texts, two BOS, replies that merge with their prompt."""

    name = "template_tokens"
    asks = "Do the tokenizer and its chat template take the texts as they are meant?"

    def __init__(self, tokens: TokenStream) -> None:
        self.of = 0
        self.tallies = {kind: Tally() for kind in KINDS}
        self._tokens = tokens
        tokens.listen(self._see)

    def see(self, record: Record, index: int) -> None:
        self._tokens.offer(record, index)

    def _see(self, record: Record, tokens: Tokens, index: int) -> None:
        self.of += 1

        def count(kind: str, text: str) -> None:
            self.tallies[kind].add(record, index, text)

        if tokens.special:
            count("special_in_text", " ".join(tokens.special))
        if tokens.refused:
            count("template_refused", tokens.refused)
        if tokens.double_bos:
            count("double_bos", "")
        if tokens.rewritten:
            count("prompt_rewritten", "")
        if tokens.merged:
            count("boundary_merged", "")

    def outcome(self) -> Outcome:
        self._tokens.flush()
        if not self.of:
            return Outcome(skipped="no record is a conversation")
        counts = {kind: tally.count for kind, tally in self.tallies.items()}
        findings = [self._finding(kind, tally) for kind, tally in self.tallies.items() if tally.count]
        return Outcome(findings, {**counts, "of": self.of})

    def _finding(self, kind: str, tally: Tally) -> Finding:
        severity, what, why, mend = KINDS[kind]
        remove = severity == "error"
        return tally.finding(self.name, kind, severity, what, of=self.of, why=why, mend=mend, remove=remove)
