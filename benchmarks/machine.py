"""Which machine was measured: what it is, what it can compute, which versions ran.

Absolute speeds mean nothing without it. The matrix product is measured, not looked up, because a virtual
machine often hides what its processor could do. Knows nothing of the jobs.
"""

from __future__ import annotations

import os
import platform
import re
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

BF16_FLAGS = ("avx512_bf16", "amx_bf16")
FLAGS = ("avx2", "avx512f", *BF16_FLAGS, "amx_tile")
PACKAGES = ("heedful", "torch", "transformers", "trl", "peft", "accelerate", "datasets")
MATRIX_SIZE = 1536
MATRIX_SECONDS = 2.0
GIGA = 1e9


def describe() -> dict[str, Any]:
    """Processor, cores, memory (bytes), flags, matrix product (GFLOP/s), versions, system."""
    import torch

    information = _cpu_information()
    return {
        "cpu": information.get("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "flags": {flag: flag in information.get("flags", "").split() for flag in FLAGS},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "torch_threads": torch.get_num_threads(),
        "matmul_gflops": {"fp32": matmul_gflops("float32"), "bf16": matmul_gflops("bfloat16")},
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def choose_precision(asked: str, machine: dict[str, Any]) -> str:
    """`auto` is bf16 where the hardware multiplies it natively: emulated, it can be 100 times slower."""
    if asked != "auto":
        return asked
    native = machine["gpu"] is not None or any(machine["flags"][flag] for flag in BF16_FLAGS)
    return "bf16" if native else "fp32"


def slug(machine: dict[str, Any]) -> str:
    """A name for files: `amd-epyc-2-cores`, or the GPU's name where there is one."""
    name = machine["gpu"] or f"{machine['cpu']} {machine['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def matmul_gflops(dtype: str, *, size: int = MATRIX_SIZE, seconds: float = MATRIX_SECONDS) -> float:
    """Square matrix products of `size` for about `seconds`, on the CPU, after one to warm up."""
    import torch

    left, right = (torch.randn(size, size).to(getattr(torch, dtype)) for _ in range(2))
    left @ right
    products, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        left @ right
        products += 1
    return round(2 * size**3 * products / elapsed / GIGA, 1)


def _cpu_information() -> dict[str, str]:
    """The first processor's entries in /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    lines = path.read_text().split("\n\n")[0].splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
