"""How much memory there is where a run would compute, and how much this process has taken of it."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from heedful import machine


def room_of(device: torch.device) -> int | None:
    """Bytes of memory of the device; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return machine.memory_bytes()


def resident_bytes() -> int | None:
    """What this process has in main memory now; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
