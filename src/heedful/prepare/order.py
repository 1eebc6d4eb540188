"""An order of records that is drawn by lot and yet always the same: by a hash of their text and a seed.

The order of the rows in a file does not matter to it, nor the process or machine, and a row added later moves
no other. Splits and mixes take the first ones of it.
"""

from __future__ import annotations

import hashlib

from heedful.records import Messages


def rank(text: str, seed: int) -> bytes:
    """Where a text stands: the least comes first."""
    return hashlib.sha256(f"{seed}\x1d{text}".encode("utf-8", "surrogatepass")).digest()


def prompt_text(prompt: Messages) -> str:
    """All of a prompt, its roles included, as one text."""
    return "\x1e".join(f"{message.role}\x1f{message.content}" for message in prompt)
