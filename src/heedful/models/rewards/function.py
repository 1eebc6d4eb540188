"""A reward that is a Python function, named by module or by file, or handed over as it is.

Finding a function by its name is of use to others too (`find`).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from heedful.errors import HeedfulError, RewardError
from heedful.models.rewards.reward import as_list, prompt_text
from heedful.records import Messages


class FunctionReward:
    """Calls `function(prompts, responses)`, two lists of texts, for a sequence of as many numbers.

    Args:
        function: `package.module:function`, `path/to/file.py:function`, or the function itself. Lists,
            tuples, arrays and tensors of numbers are all welcome as its answer.

    Raises:
        RewardError: there is no such function, or its module cannot be imported.
    """

    def __init__(self, function: str | Callable[..., Any]) -> None:
        self.name, self.function = find(function, "reward", RewardError)

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        return as_list(self.function([prompt_text(prompt) for prompt in prompts], list(responses)))


def source_of(function: str) -> Path | None:
    """The file that a function's name says it is in; None where there is none, which is for `FunctionReward`
    to complain of.
    """
    place = function.rpartition(":")[0]
    path = Path(place).expanduser()
    if path.suffix != ".py":
        try:
            spec = importlib.util.find_spec(place)
        except Exception:  # it imports the packages around the module, and they raise what they will
            return None
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin)
    return path if path.is_file() else None


def find(
    function: str | Callable[..., Any], what: str, error: type[HeedfulError]
) -> tuple[str, Callable[..., Any]]:
    """What a function is called, and the function.

    Args:
        function: `package.module:function`, `path/to/file.py:function`, or the function itself.
        what: it is to be, for the message of an error.

    Raises:
        HeedfulError: of the kind `error`: there is none, or its module cannot be imported.
    """
    if isinstance(function, str):
        return function, _named(function, f"{what} {function}", error)
    named = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{function.__module__}:{named}", function


def _named(name: str, where: str, error: type[HeedfulError]) -> Callable[..., Any]:
    place, _, function = name.rpartition(":")
    if not place or not function:
        mend = "Say package.module:function or path/to/file.py:function."
        raise error("this names no function.", where=where, mend=mend)
    module = _module(place, where, error)
    found: Callable[..., Any] | None = getattr(module, function, None)
    if callable(found):
        return found
    known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    near = difflib.get_close_matches(function, known, n=1)
    what = "it has no function" if found is None else "this is no function:"
    raise error(f"{what} {function}.", where=where, mend=f"Did you mean {near[0]}?" if near else None)


def _module(place: str, where: str, error: type[HeedfulError]) -> ModuleType:
    path = Path(place).expanduser()
    is_file = path.suffix == ".py"
    if is_file and not path.is_file():
        raise error(f"there is no file {place}.", where=where)
    try:
        return _of_file(path) if is_file else importlib.import_module(place)
    except Exception as trouble:
        is_missing = isinstance(trouble, ModuleNotFoundError) and not is_file
        mend = "A file is named with its ending: path/to/file.py:function." if is_missing else None
        reason = f"{type(trouble).__name__}: {trouble}".splitlines()[0].removesuffix(".")
        raise error(f"{place} cannot be imported: {reason}.", where=where, mend=mend) from trouble


def _of_file(path: Path) -> ModuleType:
    """The module that a file is, under a name no package has."""
    digest = hashlib.blake2b(str(path.resolve()).encode(), digest_size=4).hexdigest()
    spec = importlib.util.spec_from_file_location(f"heedful_function_{digest}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look a class's module up there.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
