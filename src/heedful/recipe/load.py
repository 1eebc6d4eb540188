"""A recipe from a YAML file and `key=value` overrides, and the errors when one does not fit.

Every complaint names the place (file and line, or the override), the dotted key, what was given and what is
expected; an unknown key comes with the nearest known one. `yaml_text` does the YAML, `settings` knows the
keys.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from heedful.errors import RecipeError
from heedful.recipe import yaml_text
from heedful.recipe.keys import describe, fields, item_of, may_be_null, section_of
from heedful.recipe.pipeline import PipelineRecipe
from heedful.recipe.settings import AnyRecipe
from heedful.recipe.stages import DPORecipe, PPORecipe, RewardRecipe, RLHFRecipe, SFTRecipe

STAGES: dict[str, type[AnyRecipe]] = {
    "sft": SFTRecipe,
    "dpo": DPORecipe,
    "reward": RewardRecipe,
    "ppo": PPORecipe,
    "rlhf": RLHFRecipe,
    "pipeline": PipelineRecipe,
}
# The command of a stage that is not called like it.
COMMANDS = {"pipeline": "run"}

NO_FILE = "recipe"
KindT = TypeVar("KindT", bound=BaseModel)


def load(path: str | os.PathLike[str] | None, overrides: Sequence[str] = (), *, stage: str) -> AnyRecipe:
    """Read a recipe for `stage`.

    Args:
        path: a YAML file; None starts from the defaults.
        overrides: `training.learning_rate=5e-6` and the like, later ones winning; values are YAML.
        stage: "sft", "dpo", "rlhf" and so on, the command that was called.

    Raises:
        RecipeError: the file cannot be read, a key is unknown, or a value does not fit.
    """
    kind = STAGES[stage]
    values, places = _read(path, overrides, kind, {})
    default_place = str(path) if path is not None else NO_FILE
    _check_stage(values.get("stage", stage), stage, places.get("stage", default_place))
    return _validated(values, kind, places, default_place)


def load_any(path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> AnyRecipe:
    """As `load`, of whatever stage the recipe is.

    Raises:
        RecipeError: as `load`, or the recipe does not say its stage.
    """
    given, lines = yaml_text.read(Path(path))
    stage, place = given.get("stage"), f"{path}:{lines['stage']}" if "stage" in lines else str(path)
    if stage is None:
        raise RecipeError(f"stage is missing: it must be one of {', '.join(STAGES)}.", where=place)
    if not isinstance(stage, str) or stage not in STAGES:
        raise _no_stage(stage, place)
    return load(path, overrides, stage=stage)


def load_keys(
    path: str | os.PathLike[str] | None,
    overrides: Sequence[str],
    kind: type[KindT],
    known: Mapping[str, Any] | None = None,
) -> KindT:
    """As `load`, of settings that are no recipe: any pydantic model whose keys are plain values or sections.

    Args:
        known: values of keys that neither file nor overrides set.
    """
    values, places = _read(path, overrides, kind, known or {})
    return _validated(values, kind, places, str(path) if path is not None else "settings")


def _read(
    path: str | os.PathLike[str] | None,
    overrides: Sequence[str],
    kind: type[BaseModel],
    known: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a file with overrides, and where each was set."""
    values, places = dict(known), dict[str, str]()
    if path is not None:
        given, lines = yaml_text.read(Path(path))
        values |= given
        places = {key: f"{path}:{line}" for key, line in lines.items()}
    _open_sections(values, kind)
    for override in overrides:
        _apply(override, values, places, kind)
    return values, places


def from_keywords(stage: str, values: dict[str, Any], keywords: Mapping[str, Any]) -> AnyRecipe:
    """A recipe from Python: sections in `values`, and keys by their last name alone (`learning_rate=1e-5`).

    The `model` section is not searched: Python callers say the model in another way.

    Raises:
        RecipeError: an unknown key, or a value that does not fit.
    """
    kind, place = STAGES[stage], f"heedful.train.{stage}"
    _open_sections(values, kind)
    _set(values, kind, keywords, place)
    return _validated(values, kind, {}, place)


def from_stages(
    stage: str, values: dict[str, Any], stages: Mapping[str, Mapping[str, Any] | None]
) -> AnyRecipe:
    """A recipe of several stages from Python: sections in `values`, and for each stage its keys by their last
    name alone, or None for a stage that is left out.

    Raises:
        RecipeError: an unknown key, or a value that does not fit.
    """
    kind, place = STAGES[stage], f"heedful.train.{stage}"
    _open_sections(values, kind)
    for name, keywords in stages.items():
        section = section_of(kind.model_fields[name])
        assert section is not None
        if keywords is None:
            values[name] = None
        else:
            _set(values[name], section, keywords, f"{place}, {name}")
    return _validated(values, kind, {}, place)


def _set(values: dict[str, Any], kind: type[BaseModel], keywords: Mapping[str, Any], place: str) -> None:
    """Put keys that are called by their last name where they belong; a stage of several has keys outside
    sections too.
    """
    dotted = [key for key in fields(kind) if "." in key and not key.startswith("model.")]
    sections = {key.rpartition(".")[2]: key.partition(".")[0] for key in dotted}
    own = {} if issubclass(kind, AnyRecipe) else kind.model_fields
    for name, value in keywords.items():
        if name in sections:
            values[sections[name]][name] = value
        elif name in own and not section_of(own[name]):
            values[name] = value
        else:
            raise _unknown_key(name, kind, place)


def to_yaml(recipe: AnyRecipe) -> str:
    """The recipe with every key written out; `load` reads it back to an equal one."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _validated(
    values: dict[str, Any],
    kind: type[KindT],
    places: Mapping[str, str],
    default_place: str,
) -> KindT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explain(error, kind, places, default_place) from None


def _open_sections(values: dict[str, Any], kind: type[BaseModel]) -> None:
    """A section left out, or with all its keys commented out (null, to YAML), is one with nothing set.

    Where null is a value of its own, for a stage that is skipped, only what was left out is opened, unless
    null is what leaving it out means.
    """
    for name, field in kind.model_fields.items():
        section = section_of(field)
        if section is not None and name not in values and field.default is None:
            values[name] = None
        if section is None or (name in values and values[name] is None and may_be_null(field)):
            continue
        if values.get(name) is None:
            values[name] = {}
        if isinstance(values[name], dict):
            _open_sections(values[name], section)


def _apply(override: str, values: dict[str, Any], places: dict[str, str], kind: type[BaseModel]) -> None:
    key, equals, text = override.partition("=")
    key, place = key.strip(), f"override {override!r}"
    if not equals or not key:
        raise RecipeError("is not of the form key=value.", where=place, mend="Say training.epochs=2.")
    field = fields(kind).get(key)
    if field is None and _without_positions(key) in fields(kind, items=True):
        what = f"{key} stands within a list, and an override sets a list as a whole."
        raise RecipeError(what, where=place, mend="Set it in the recipe's file.")
    if field is None:
        raise _unknown_key(key, kind, place)
    section = section_of(field)
    value = yaml_text.parse(text, place)
    if section and not (value is None and may_be_null(field)):
        inside = fields(section, f"{key}.")
        example = next(name for name, one in inside.items() if not section_of(one))
        raise RecipeError(
            f"{key} is a section.", where=place, mend=f"Set one of its keys, such as {example}."
        )
    *outer, last = key.split(".")
    target, inner = values, kind  # what is set, and the keys it may have
    for name in outer:
        inner = section_of(inner.model_fields[name]) or inner
        if target[name] is None:
            target[name] = {}
            _open_sections(target[name], inner)
        target = target[name]
        if not isinstance(target, dict):
            return  # the file has a value where this section belongs; validation says so
    target[last] = value
    places[key] = place


def _check_stage(given: Any, stage: str, place: str) -> None:
    if given == stage:
        return
    if isinstance(given, str) and given in STAGES:
        raise RecipeError(
            f"stage is {given}, but this is the {stage} command.",
            where=place,
            mend=f"Run: heedful {COMMANDS.get(given, given)}",
        )
    raise _no_stage(given, place)


def _no_stage(given: Any, place: str) -> RecipeError:
    return RecipeError(f"stage must be one of {', '.join(STAGES)}, not {_show(given)}.", where=place)


def _explain(
    error: ValidationError, kind: type[BaseModel], places: Mapping[str, str], default_place: str
) -> RecipeError:
    """The first complaint (a misspelt key before what is missing for it), and how many more there are."""
    details: dict[str, ErrorDetails] = {}
    for detail in error.errors():
        details.setdefault(_dotted(detail, kind), detail)
    ordered = sorted(details.items(), key=lambda item: item[1]["type"] != "extra_forbidden")
    key, detail = ordered[0]
    place = _place(key, places, default_place)
    if detail["type"] == "extra_forbidden":
        found = _unknown_key(key, kind, place)
    elif detail["type"] == "missing":
        wanted = _wanted(key, kind)
        found = RecipeError(f"{key} is missing: it must be {wanted}.", where=place, mend=f"Set {key}.")
    elif detail["type"] == "value_error":
        said = str(detail["ctx"]["error"])
        found = RecipeError(f"{key}: {said}." if key else f"{said}.", where=place)
    else:
        wanted = _wanted(key, kind)
        found = RecipeError(f"{key} must be {wanted}, not {_show(detail['input'])}.", where=place)
    rest = len(ordered) - 1
    if rest:
        more = f"({rest} more {'key needs' if rest == 1 else 'keys need'} mending.)"
        found = RecipeError(
            found.what, where=found.where, mend=f"{found.mend} {more}" if found.mend else more
        )
    return found


def _place(key: str, places: Mapping[str, str], default: str) -> str:
    """Where a key stands: its own line, its section's, or the file."""
    while key:
        if key in places:
            return places[key]
        key = key.rpartition(".")[0]
    return default


def _dotted(detail: ErrorDetails, kind: type[BaseModel]) -> str:
    """The key of an error; positions in plain lists and the branches of a union are left off."""
    names: list[str] = []
    model: type[BaseModel] | None = kind
    item: type[BaseModel] | None = None
    for part in detail["loc"]:
        if item is not None and isinstance(part, int):
            names.append(str(part))
            model, item = item, None
            continue
        if model is None:
            break
        names.append(str(part))
        field = model.model_fields.get(str(part))
        model, item = (section_of(field), item_of(field)) if field else (None, None)
    return ".".join(names)


def _wanted(key: str, kind: type[BaseModel]) -> str:
    """What a key takes, in words; `key` may be one of a list's sections."""
    if key.rpartition(".")[2].isdigit():
        return "a section of keys"
    return describe(fields(kind, items=True)[_without_positions(key)])


def _without_positions(key: str) -> str:
    return ".".join(name for name in key.split(".") if not name.isdigit())


def _unknown_key(key: str, kind: type[BaseModel], place: str) -> RecipeError:
    known = fields(kind, items=True)
    section, _, leaf = key.rpartition(".")
    section = _without_positions(section)
    elsewhere = [name for name in known if name.rpartition(".")[2] == leaf]
    siblings = [name for name in known if name.rpartition(".")[0] == section]
    # Of one name in many stages, the one in the stage that was meant.
    stage = key.partition(".")[0]
    elsewhere = [name for name in elsewhere if name.partition(".")[0] == stage] or elsewhere
    near = elsewhere or _near_leaf(leaf, siblings) or _near_leaf(leaf, known)
    if near:
        return RecipeError(f"unknown key {key}.", where=place, mend=f"Did you mean {' or '.join(near)}?")
    listed = ", ".join(siblings or kind.model_fields)
    return RecipeError(f"unknown key {key}.", where=place, mend=f"Known there: {listed}.")


def _near_leaf(leaf: str, known: Iterable[str]) -> list[str]:
    by_leaf = {name.rpartition(".")[2]: name for name in known}
    return [by_leaf[match] for match in difflib.get_close_matches(leaf, by_leaf, n=1)]


def _show(value: Any) -> str:
    """A value as YAML would have it, short enough for one line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
