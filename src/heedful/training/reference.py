"""Reference log-probs, computed once per data set and kept on disk under a full fingerprint.

The fingerprint covers every base weight, every token id (so data, template and truncation), the number type,
the path taken and the libraries' versions. Anything different is another file: a stale cache cannot be read
by accident.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.models.catalog import cache_folder
from heedful.models.scoring import score
from heedful.recipe import TrainingSettings
from heedful.render.rows import Rows
from heedful.training import processes
from heedful.training.tracking import Reporter


def reference_logps(backbone: Backbone, rows: Rows, settings: TrainingSettings, reporter: Reporter) -> Tensor:
    """Summed log-probs of every response under the reference: `[rows, responses]`, nats, fp32, on CPU."""
    path = cache_folder() / "reference" / f"{fingerprint(backbone, rows, padded=settings.padded)}.safetensors"
    cached = processes.on_main(lambda: _read(path, len(rows)))
    if cached is not None:
        reporter.say(f"Reference log-probs of {len(rows)} rows read from the cache.")
        return cached
    role = backbone.role("reference")
    role.force_padded = settings.padded
    own = processes.share(range(len(rows)))
    with reporter.task("Reference log-probs", len(own)) as task:
        found = score(
            role, [rows[i] for i in own], tokens_per_row=settings.tokens_per_row, on_done=task.update
        )
    logps = torch.empty(len(rows), len(rows[0].responses))
    for process, part in enumerate(processes.gather(found)):
        if len(part):
            logps[process :: processes.count()] = part
    processes.on_main(lambda: _write(path, logps))
    return logps


def fingerprint(backbone: Backbone, rows: Rows, *, padded: bool) -> str:
    """A hash of all that the reference's log-probs of these rows depend on."""
    digest = hashlib.blake2b(digest_size=16)
    padded = padded or not backbone.compatibility.packs
    parts = [
        backbone.fingerprint(),
        str(backbone.compute_dtype),
        str(padded),
        torch.__version__,
        transformers.__version__,
    ]
    digest.update("\n".join(parts).encode())
    digest.update(rows_fingerprint(rows).encode())
    return digest.hexdigest()


def rows_fingerprint(rows: Rows) -> str:
    """A hash of every token id and where each prompt and response begins."""
    digest = hashlib.blake2b(digest_size=16)
    for row in rows:
        for ids in (row.prompt, *row.responses):
            digest.update(len(ids).to_bytes(8, "little"))
            digest.update(np.asarray(ids, dtype=np.int64).tobytes())
        digest.update(b"row")
    return digest.hexdigest()


def _read(path: Path, rows: int) -> Tensor | None:
    try:
        logps = load_file(path)["logps"]
    except (OSError, SafetensorError, KeyError):
        return None
    return logps if len(logps) == rows else None


def _write(path: Path, logps: Tensor) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({"logps": logps.contiguous()}, part)
    os.replace(part, path)
