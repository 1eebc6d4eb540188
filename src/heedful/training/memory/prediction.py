"""What a prediction of memory is made of: parts, by role and kind; phases; and the peak, the largest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

# `shared`: the one set of weights that all roles compute with. `process`: what no role has.
Role = Literal["shared", "policy", "reference", "reward", "critic", "process"]
Kind = Literal[
    "weights",
    "adapters",
    "gradients",
    "optimiser",
    "activations",
    "cache",
    "logits",
    "copies",
    "data",
    "allocator",
    "libraries",
]
GB = 1_000_000_000
# What is less than this is left out where a prediction is put in a line of words.
_WORTH_SAYING = GB / 20


@dataclass(frozen=True, slots=True)
class Part:
    """So many bytes of one kind for one role."""

    role: Role
    kind: Kind
    bytes: int


@dataclass(frozen=True, slots=True)
class Phase:
    """What is in memory at one time of a run.

    Attributes:
        name: `load`, `reference`, `rollout`, `scoring`, `training`, `evaluation` or `saving`.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(part.bytes for part in self.parts)

    def by_kind(self) -> dict[Kind, int]:
        """Bytes of each kind, over all roles."""
        found: dict[Kind, int] = {}
        for part in self.parts:
            found[part.kind] = found.get(part.kind, 0) + part.bytes
        return found

    def by_role(self) -> dict[Role, int]:
        """Bytes of each role, over all kinds."""
        found: dict[Role, int] = {}
        for part in self.parts:
            found[part.role] = found.get(part.role, 0) + part.bytes
        return found

    def __str__(self) -> str:
        sizes = [(kind, size) for kind, size in self.by_kind().items() if size >= _WORTH_SAYING]
        listed = ", ".join(f"{kind} {size / GB:.1f}" for kind, size in sizes)
        return f"{self.total / GB:.1f} GB: {listed}" if listed else f"{self.total / GB:.1f} GB"


@dataclass(frozen=True, slots=True)
class Prediction:
    """The phases of a run, in their order.

    Attributes:
        notes: what has to be known beside the numbers, such as that something is not offered yet.
    """

    phases: tuple[Phase, ...]
    notes: tuple[str, ...] = ()

    @property
    def peak(self) -> Phase:
        """The phase that needs most."""
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def total(self) -> int:
        """Bytes at the peak."""
        return self.peak.total

    def phase(self, name: str) -> Phase:
        """A phase by its name. Raises KeyError."""
        return {phase.name: phase for phase in self.phases}[name]

    def by_phase(self) -> str:
        """Every phase with its total, in a line."""
        return ", ".join(f"{phase.name} {phase.total / GB:.1f}" for phase in self.phases) + " GB"

    def to_json(self) -> dict[str, object]:
        """Plain values: bytes by phase, role and kind."""
        return {
            "peak_bytes": self.total,
            "peak_phase": self.peak.name,
            "phases": {phase.name: _tree(phase.parts) for phase in self.phases},
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return f"about {self.peak}, while {self.peak.name}"


def _tree(parts: Sequence[Part]) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for part in parts:
        kinds = found.setdefault(part.role, {})
        kinds[part.kind] = kinds.get(part.kind, 0) + part.bytes
    return found
