"""GGUF files made into transformers folders: bfloat16 safetensors, tokenizer, template, generation config.

A folder appears whole or not at all: it is built beside, synced and renamed, and a process that loses the
race uses the winner's. Repairs what transformers leaves out when it builds a tokenizer from GGUF metadata.
Knows nothing of the catalog or of where caches live.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from heedful.errors import ModelError
from heedful.models import folders

log = logging.getLogger(__name__)

# Raised whenever a conversion writes something else than before: folders of another number are built again.
CONVERSION = 1
RECORD = "conversion.json"
MAGIC = b"GGUF"
PART = ".part"
ABANDONED_SECONDS = 24 * 3600.0

# The ways to cut text before merging, as llama.cpp names them in `tokenizer.ggml.pre`. These cut out every
# digit first and then split like GPT-2; transformers knows none of them and would only split like GPT-2.
DIGITS_FIRST = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"})
# These split like GPT-2 and nothing else, which is what transformers does with a name it does not know.
LIKE_GPT2 = frozenset({"gpt-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "phi-2"})


def convert(file: Path, folder: Path) -> Path:
    """Convert `file` into `folder` unless that was done before; returns `folder`, always complete.

    Raises:
        ModelError: `file` is no GGUF file or none that transformers can convert, or the disk refuses.
    """
    if is_converted(folder):
        return folder
    _check_magic(file)
    _check_reader(file)
    log.info("Converting %s once; this takes about half a minute.", file.name)
    part = scratch_beside(folder)
    try:
        _build(file, part)
        _write_record(file, part)
        _publish(part)
        _move_into_place(part, folder)
    except ModelError:
        raise
    except Exception as error:  # transformers, gguf, safetensors and the disk each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(
            f"cannot be converted: {reason}",
            where=str(file),
            mend="Ask for a transformers folder or a hub id of the same model instead.",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def is_converted(folder: Path) -> bool:
    """Whether `folder` holds a finished conversion of today's kind."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("conversion") == CONVERSION


def scratch_beside(folder: Path) -> Path:
    """A new empty folder beside `folder`; whoever asks removes it, or a later call does after a day.

    Raises:
        ModelError: nothing can be written there.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for part in folder.parent.glob(f".{folder.name}-*{PART}"):
            if time.time() - part.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(part, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=PART, dir=folder.parent))
    except OSError as error:
        raise ModelError(
            f"cannot write there: {error.strerror or error}.",
            where=str(folder.parent),
            mend="Set HEEDFUL_CACHE to a folder that can be written.",
        ) from error


def fingerprint(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_magic(file: Path) -> None:
    try:
        with file.open("rb") as stream:
            start = stream.read(len(MAGIC))
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror or error}.", where=str(file)) from error
    if start != MAGIC:
        raise ModelError(
            "this is not a GGUF file (it does not begin with GGUF).",
            where=str(file),
            mend="Download it again; a page or a pointer may have been saved in its place.",
        )


def _check_reader(file: Path) -> None:
    try:
        import gguf  # noqa: F401
    except ImportError:
        mend = "Install it with: pip install 'heedful[quickstart]'"
        raise ModelError("reading GGUF files needs the package gguf.", where=str(file), mend=mend) from None


def _build(file: Path, folder: Path) -> None:
    """Write the model and the tokenizer of `file` into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    model = AutoModelForCausalLM.from_pretrained(
        str(file.parent), dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True), **where
    )
    tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **where)
    metadata = _metadata(file, "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.eot_token_id")
    repair_tokenizer(tokenizer, metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre"))
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.generation_config.eos_token_id = _ends(
        model.generation_config.eos_token_id, metadata.get("tokenizer.ggml.eot_token_id")
    )
    tokenizer.save_pretrained(str(folder))
    model.save_pretrained(str(folder))


def repair_tokenizer(tokenizer: Any, kind: str | None, splitting: str | None) -> None:
    """Cut text as the model was trained to see it.

    Without this, SmolLM2 reads the blank line before "1." as two tokens instead of the one it learned.

    Args:
        tokenizer: a fast tokenizer as transformers built it; changed in place.
        kind: `tokenizer.ggml.model`; only byte-level BPE ("gpt2") is concerned.
        splitting: `tokenizer.ggml.pre`.
    """
    from tokenizers import pre_tokenizers

    backend = tokenizer.backend_tokenizer
    if kind != "gpt2":
        return
    if splitting in DIGITS_FIRST:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
            ]
        )
    elif splitting not in LIKE_GPT2 and isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel):
        log.warning(
            "The file's way of splitting text, %r, is not known here. Text is split like GPT-2's; tokens may "
            "differ from those the model was trained on. Prefer the model's own transformers folder.",
            splitting,
        )


def _metadata(file: Path, *keys: str) -> dict[str, Any]:
    from transformers.integrations.gguf import read_gguf_metadata

    metadata, _ = read_gguf_metadata(str(file))
    return {key: metadata[key] for key in keys if key in metadata}


def _ends(eos: int | list[int] | None, end_of_turn: int | None) -> int | list[int] | None:
    """The ids that end an answer: a chat model's end of turn may stand apart from its end of text."""
    ids = [] if eos is None else [eos] if isinstance(eos, int) else list(eos)
    if end_of_turn is not None and end_of_turn not in ids:
        ids.append(int(end_of_turn))
    return ids if len(ids) > 1 else ids[0] if ids else None


def _write_record(file: Path, folder: Path) -> None:
    record = {
        "conversion": CONVERSION,
        "file": file.name,
        "bytes": file.stat().st_size,
        "sha256": fingerprint(file),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _publish(folder: Path) -> None:
    """Open to everyone's eyes, as a scratch folder is not, and on disk."""
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    folders.sync(folder)


def _move_into_place(part: Path, folder: Path) -> None:
    """Rename `part` to `folder`; a faster process's folder stays, one of an older kind of conversion goes."""
    try:
        os.rename(part, folder)
        return
    except OSError:
        if is_converted(folder):
            return
        if not folder.is_dir():
            raise
    outdated = scratch_beside(folder)
    try:
        os.rename(folder, outdated / folder.name)
        os.rename(part, folder)
    except OSError:
        if not is_converted(folder):
            raise
    finally:
        shutil.rmtree(outdated, ignore_errors=True)
