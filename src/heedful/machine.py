"""What machine this is, in one line, for run folders and reports."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> str:
    """Processor, cores, memory and system, as far as the system tells: `AMD EPYC, 2 cores, 23 GiB, Linux
    x86_64`.
    """
    parts = [_processor(), f"{os.cpu_count()} cores"]
    memory = memory_bytes()
    if memory is not None:
        parts.append(f"{memory / 2**30:.0f} GiB")
    return ", ".join([*parts, f"{platform.system()} {platform.machine()}"])


def memory_bytes() -> int | None:
    """Main memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
