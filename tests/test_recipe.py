"""Recipes: defaults, files, overrides, and errors that say where, which key, what was given and wanted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from heedful import data
from heedful.errors import RecipeError
from heedful.recipe import DPORecipe, PipelineRecipe, RLHFRecipe, SFTRecipe, load, to_yaml
from heedful.rlhf import stages_of

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
KEY = re.compile(r" *[a-z_0-9]+:( |$)")
STAGE_OF = {
    "sft-lora": "sft",
    "dpo-lora": "dpo",
    "ipo-lora": "dpo",
    "dpo-full": "dpo",
    "reward-lora": "reward",
    "ppo-lora": "ppo",
    "rlhf-lora": "rlhf",
    "quickstart": "pipeline",
    "1b-lora": "pipeline",
    "1b-full": "pipeline",
    "1b-full-gpus": "sft",
    "8b-lora": "pipeline",
    "8b-lora-gpus": "dpo",
    "8b-full": "pipeline",
}


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(path: Path | None, *overrides: str, stage: str = "dpo") -> str:
    with pytest.raises(RecipeError) as caught:
        load(path, overrides, stage=stage)
    return str(caught.value)


def dotted_keys(values: dict[str, Any], prefix: str = "") -> set[str]:
    keys = set()
    for name, value in values.items():
        keys |= {prefix + name} | (
            dotted_keys(value, f"{prefix}{name}.") if isinstance(value, dict) else set()
        )
    return keys


# Reading


def test_a_recipe_needs_nothing_but_data() -> None:
    recipe = load(None, ["data.train=pairs.jsonl"], stage="dpo")
    assert isinstance(recipe, DPORecipe)
    assert recipe.data.train == "pairs.jsonl"
    assert recipe.model.name == "smollm2-135m"
    assert recipe.training.learning_rate == 2e-5
    assert (recipe.objective.name, recipe.objective.beta) == ("dpo", 0.1)
    assert recipe.output == "runs/dpo"


def test_each_stage_has_its_own_learning_rate_and_output() -> None:
    recipe = load(None, ["data.train=rows.jsonl"], stage="sft")
    assert isinstance(recipe, SFTRecipe)
    assert (recipe.training.learning_rate, recipe.output) == (2e-4, "runs/sft")


@pytest.mark.parametrize("text", ["5e-6", "5E-6", "5.0e-6", "0.000005", ".000005", "+5e-06"])
def test_numbers_without_a_point_are_numbers_in_files_and_overrides(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"data: {{train: a.jsonl}}\ntraining:\n  learning_rate: {text}\n")
    assert load(path, stage="dpo").training.learning_rate == 5e-6
    overridden = load(None, ["data.train=a", f"training.learning_rate={text}"], stage="dpo")
    assert overridden.training.learning_rate == 5e-6


def test_an_override_wins_over_the_file_and_a_later_one_over_an_earlier(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {train: a.jsonl}\nlora: {rank: 4}\n")
    recipe = load(path, ["lora.rank=8", "lora.alpha=8", "lora.rank=32"], stage="dpo")
    assert (recipe.lora.rank, recipe.lora.alpha) == (32, 8.0)


def test_overrides_take_null_lists_and_text_with_equals_signs(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {train: a.jsonl, limit: 10}\n")
    overrides = ["data.limit=null", "lora.targets=[q_proj, v_proj]", "data.train=[a.jsonl, b=c.jsonl]"]
    recipe = load(path, overrides, stage="dpo")
    assert recipe.data.limit is None
    assert recipe.lora.targets == ["q_proj", "v_proj"]
    assert recipe.data.train == ["a.jsonl", "b=c.jsonl"]


def test_a_section_with_everything_commented_out_keeps_its_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a.jsonl\nlora:\n  # rank: 4\n")
    assert load(path, ["lora.alpha=3"], stage="dpo").lora.model_dump() == {
        "rank": 16,
        "alpha": 3.0,
        "dropout": 0.0,
        "targets": "all-linear",
    }


def test_a_file_named_like_a_date_is_text() -> None:
    assert load(None, ["data.train=2024-01-01"], stage="dpo").data.train == "2024-01-01"


def test_merge_keys_work_and_do_not_count_as_keys_standing_twice(tmp_path: Path) -> None:
    path = write(tmp_path, "data: &d {train: a.jsonl, limit: 3}\nlora: {rank: 2}\nguard: {patience: 4}\n")
    assert load(path, stage="sft").data.limit == 3
    path = write(tmp_path, "data:\n  <<: {train: a.jsonl, limit: 3}\n  limit: 5\n")
    assert load(path, stage="sft").data.limit == 5


def test_writing_and_reading_gives_the_same_recipe(tmp_path: Path) -> None:
    overrides = ["data.train=[a, 'ü: b']", "training.learning_rate=5e-7", "training.trackers=[wandb]"]
    recipe = load(None, [*overrides, "objective.name=ipo", "model.adapter=runs/sft"], stage="dpo")
    assert load(write(tmp_path, to_yaml(recipe)), stage="dpo") == recipe


def test_a_recipe_cannot_be_changed_after_reading() -> None:
    recipe = load(None, ["data.train=a"], stage="dpo")
    with pytest.raises(ValidationError):
        recipe.training.seed = 3


# Errors: keys


def test_an_unknown_key_names_file_line_and_nearest_key(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a.jsonl\ntraining:\n  learning_rte: 1\n")
    assert complaint(path) == (
        f"{path}:4: unknown key training.learning_rte. Did you mean training.learning_rate?"
    )


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one(tmp_path: Path) -> None:
    path = write(tmp_path, "beta: 0.2\ndata: {train: a.jsonl}\n")
    assert complaint(path) == f"{path}:1: unknown key beta. Did you mean objective.beta?"
    assert complaint(None, "rank=3") == "override 'rank=3': unknown key rank. Did you mean lora.rank?"


def test_an_unknown_key_near_nothing_lists_what_is_known() -> None:
    assert complaint(None, "lora.zzzz=3") == (
        "override 'lora.zzzz=3': unknown key lora.zzzz. "
        "Known there: lora.rank, lora.alpha, lora.dropout, lora.targets."
    )


def test_a_misspelt_key_is_named_before_the_key_it_leaves_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  trian: a.jsonl\n")
    assert complaint(path) == (
        f"{path}:2: unknown key data.trian. Did you mean data.train? (1 more key needs mending.)"
    )


def test_missing_data_says_so(tmp_path: Path) -> None:
    assert (
        complaint(None)
        == "recipe: data.train is missing: it must be text or a list of texts. Set data.train."
    )
    path = write(tmp_path, "stage: dpo\n")
    assert complaint(path).startswith(f"{path}: data.train is missing")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a\n  limit: 1\n  train: b\n")
    assert complaint(path) == f"{path}:4: data.train stands twice, first in line 2."


def test_an_objective_is_no_key_of_sft() -> None:
    assert "unknown key objective.beta" in complaint(None, "objective.beta=1", stage="sft")


# Errors: values


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.batch_size=many", 'training.batch_size must be a whole number of at least 1, not "many".'),
        ("training.batch_size=0", "training.batch_size must be a whole number of at least 1, not 0."),
        ("training.batch_size=2.5", "training.batch_size must be a whole number of at least 1, not 2.5."),
        ("training.epochs=yes", "training.epochs must be a number above 0, not true."),
        ("training.learning_rate=.nan", "training.learning_rate must be a number above 0, not NaN."),
        ("training.schedule=cos", 'training.schedule must be one of cosine, linear, constant, not "cos".'),
        ("training.padded=1", "training.padded must be true or false, not 1."),
        ("training.seed=null", "training.seed must be a whole number of at least 0, not null."),
        ("data.limit=0", "data.limit must be a whole number of at least 1 or null, not 0."),
        ("data.eval_fraction=1", "data.eval_fraction must be a number of at least 0 and below 1, not 1."),
        ("data.train=[]", "data.train must be text or a list of texts, not []."),
        ("lora.targets=q_proj", 'lora.targets must be all-linear or a list of texts, not "q_proj".'),
        (
            "objective.label_smoothing=0.5",
            "objective.label_smoothing must be a number of at least 0 and below 0.5",
        ),
        ("guard.max_grad_ratio=1", "guard.max_grad_ratio must be a number above 1, not 1."),
        ("output=12", "output must be text, not 12."),
    ],
)
def test_a_value_that_does_not_fit_says_what_was_given_and_what_is_wanted(
    override: str, expected: str
) -> None:
    message = complaint(None, "data.train=a", override)
    assert message.startswith(f"override {override!r}: {expected}")


def test_a_bad_value_in_a_file_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a.jsonl\n\nlora:\n  rank: sixteen\n  alpha: -1\n")
    assert complaint(path) == (
        f'{path}:5: lora.rank must be a whole number of at least 1, not "sixteen". '
        "(1 more key needs mending.)"
    )


def test_a_value_where_a_section_belongs_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {train: a}\nlora: 16\n")
    expected = f"{path}:2: lora must be a section of keys, not 16."
    assert complaint(path) == expected
    assert complaint(path, "lora.rank=3") == expected


def test_smoothing_is_refused_for_ipo(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {train: a}\nobjective:\n  name: ipo\n  label_smoothing: 0.1\n")
    expected = f"{path}:2: objective: label_smoothing belongs to dpo; ipo has no such term."
    assert complaint(path) == expected


def test_a_prompt_may_not_fill_the_whole_length() -> None:
    message = complaint(None, "data.train=a", "data.max_prompt_length=1024")
    assert "max_prompt_length 1024 leaves no room for a response in max_length 1024" in message


# Errors: overrides


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "is not of the form key=value"),
        ("=3", "is not of the form key=value"),
        ("training=3", "training is a section. Set one of its keys, such as training.method."),
        ("data.train=[a", "the value is not YAML: expected ',' or ']'"),
        ("data.train=a: b", "an override sets one key, not several."),
    ],
)
def test_an_override_that_cannot_be_read_is_quoted(override: str, expected: str) -> None:
    assert complaint(None, override).startswith(f"override {override!r}: {expected}")


# Errors: stages and files


def test_another_stages_recipe_names_its_command(tmp_path: Path) -> None:
    path = write(tmp_path, "stage: sft\ndata: {train: a}\n")
    assert complaint(path) == f"{path}:1: stage is sft, but this is the dpo command. Run: heedful sft"
    path = write(tmp_path, "stage: [dpo]\n")
    assert (
        complaint(path)
        == f'{path}:1: stage must be one of sft, dpo, reward, ppo, rlhf, pipeline, not ["dpo"].'
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n", "null\n", "---\n"])
def test_an_empty_recipe_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert complaint(path, "data.train=a") == f"{path}: this recipe is empty. It needs at least data.train."


def test_a_recipe_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "# pairs\n- a\n- b\n")
    assert complaint(path).startswith(f"{path}:2: a recipe is a list of `key: value` lines")


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  train: a.jsonl\n bad: [1\n")
    assert complaint(path).startswith(f"{path}:3: this is not YAML")


def test_tabs_control_characters_and_other_encodings_are_refused_in_words(tmp_path: Path) -> None:
    assert "this is not YAML" in complaint(write(tmp_path, "data:\n\ttrain: a\n"))
    assert "this is not YAML" in complaint(write(tmp_path, "data: \x00\n"))
    path = tmp_path / "latin.yaml"
    path.write_bytes("output: Füße\n".encode("latin-1"))
    assert complaint(path) == f"{path}: this is not text in UTF-8."


def test_a_missing_file_suggests_its_neighbour_and_a_folder_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "stage: dpo\n")
    assert complaint(tmp_path / "recipes.yaml") == (
        f"{tmp_path / 'recipes.yaml'}: no such file. Did you mean {path}?"
    )
    assert complaint(tmp_path / "none" / "x.yaml") == f"{tmp_path / 'none' / 'x.yaml'}: no such file."
    assert complaint(tmp_path) == f"{tmp_path}: this is a folder; a recipe is a YAML file."


# The recipes that are shipped


def test_every_shipped_recipe_is_known_here() -> None:
    assert {path.stem for path in RECIPES.glob("*.yaml")} == set(STAGE_OF)


@pytest.mark.parametrize(("name", "stage"), STAGE_OF.items())
def test_a_shipped_recipe_loads_and_shows_every_key(name: str, stage: str) -> None:
    path = RECIPES / f"{name}.yaml"
    recipe = load(path, stage=stage)
    assert dotted_keys(yaml.safe_load(path.read_text(encoding="utf-8"))) == dotted_keys(recipe.model_dump())
    assert recipe.output.startswith("runs/")
    if isinstance(recipe, PipelineRecipe):
        sources = [recipe.data.demonstrations, recipe.data.preferences]
        files = [source.train for source in sources if source is not None]
    else:
        stages = stages_of(recipe).values() if isinstance(recipe, RLHFRecipe) else [recipe]
        files = [one.data.train for one in stages]
    assert all(file.startswith(("data/", "heedful:everyday/")) for file in files)


@pytest.mark.parametrize("name", STAGE_OF)
def test_a_comment_stands_above_every_key(name: str) -> None:
    lines = (RECIPES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if KEY.match(line) and not before.strip().startswith("#")
    ]
    assert bare == []


def test_the_quickstarts_recipe_is_the_one_that_comes_with_the_package() -> None:
    assert data.path("quickstart.yaml").read_bytes() == (RECIPES / "quickstart.yaml").read_bytes()


def test_shipped_recipes_differ_where_their_names_say() -> None:
    loaded = {name: load(RECIPES / f"{name}.yaml", stage=stage) for name, stage in STAGE_OF.items()}
    dpo, ipo, full = loaded["dpo-lora"], loaded["ipo-lora"], loaded["dpo-full"]
    assert isinstance(dpo, DPORecipe)
    assert isinstance(ipo, DPORecipe)
    assert (dpo.objective.name, ipo.objective.name) == ("dpo", "ipo")
    assert (dpo.training.method, full.training.method) == ("lora", "full")
    defaults = load(None, ["data.train=data/pairs.jsonl"], stage="dpo")
    assert dpo == defaults
    assert loaded["sft-lora"] == load(None, ["data.train=data/demonstrations.jsonl"], stage="sft")
    assert loaded["reward-lora"] == load(None, ["data.train=data/pairs.jsonl"], stage="reward")
    keys = ["data.train=data/prompts.jsonl", "reward=[{model: runs/reward}]"]
    assert loaded["ppo-lora"] == load(None, keys, stage="ppo")
