"""From a name to a backbone that is ready for its roles: weights, tokenizer, device, number type, folded
adapters.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from heedful.errors import ModelError
from heedful.models.backbone import Backbone
from heedful.models.catalog import Source, resolve
from heedful.models.export import REWARD_FILE
from heedful.models.tokenizers import load_tokenizer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(
    name: str, *, adapter: str | None = None, dtype: str = "auto", device: str = "auto", full: bool = False
) -> Backbone:
    """Load a model by catalog name, folder, run, adapter, `.gguf` file or hub id.

    Args:
        adapter: one more adapter or run to fold into the weights.
        dtype: what to compute in; `auto` is bfloat16 where the machine has matrix products for it, else
            float32.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`, ...
        full: keep the weights in float32 for full fine-tuning, whatever they compute in.

    Raises:
        ModelError: nothing of that name, weights that do not load, an adapter that does not fit.
    """
    transformers_logging.disable_progress_bar()
    # Packs differ in length, and oneDNN compiles its products anew for every length: it would keep 1,024 of
    # them, half a gigabyte. No pack needs so many; heeded only before the process's first product.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    place = choose_device(device)
    compute = choose_dtype(dtype, place)
    source = resolve(name)
    folded = [*source.folded, *([source.adapter] if source.adapter else [])]
    require_language_model(source.folder, *folded)
    if adapter is not None:
        added = resolve(adapter)
        if added.adapter is None:
            raise ModelError("this holds no adapter.", where=adapter, mend="Name an adapter or a run folder.")
        if added.pretrained != source.pretrained:
            what = f"this adapter belongs to {added.name}, not to {name}."
            raise ModelError(what, where=adapter, mend=f"Use model.name={added.name}.")
        # An adapter that was trained over the model's own ones brings them along; they are folded once.
        chain, own = [*added.folded, added.adapter], [path.resolve() for path in folded]
        shared = len(own) if [path.resolve() for path in chain[: len(own)]] == own else 0
        folded += chain[shared:]
        require_language_model(*folded)
    model, tokenizer = _load(source, torch.float32 if full else compute)
    backbone = Backbone(model.to(place), tokenizer, name=name, base=source.pretrained, compute_dtype=compute)
    for folder in folded:
        backbone.fold(str(Path(folder).absolute()))
    return backbone


def choose_device(name: str) -> torch.device:
    """`auto`: a GPU where there is one.

    Raises:
        ModelError: torch does not know the device, or cannot use it here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"the device {name!r} cannot be used here: {reason}", where="model.device"
        ) from error
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 where it is the faster type, else float32."""
    if name != "auto":
        return DTYPES[name]
    return torch.bfloat16 if _has_fast_bfloat16(device) else torch.float32


def _has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices natively; emulated, they are many times slower than
    float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities: Any = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.10 and older cannot tell
        has = capabilities()
        return any(bool(has.get(feature)) for feature in ("avx512_bf16", "amx_bf16", "bf16"))
    return False


def require_language_model(*folders: Path) -> None:
    """Refuse what scores answers and writes none: `transformers` would make up what it lacks.

    Raises:
        ModelError: a folder holds a reward model.
    """
    for folder in folders:
        if (folder / REWARD_FILE).is_file():
            mend = "Judge it by heedful evaluate, or let heedful ppo learn from it."
            raise ModelError("this is a reward model, and no language model.", where=str(folder), mend=mend)


def _load(source: Source, dtype: torch.dtype) -> tuple[Any, Any]:
    try:
        model = AutoModelForCausalLM.from_pretrained(source.pretrained, dtype=dtype)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        mend = "Check the name, and that the folder holds a causal language model."
        raise ModelError(f"the model cannot be loaded: {reason}", where=source.name, mend=mend) from error
    return model, load_tokenizer(source.pretrained, source.name)
