"""Whatever is wrong with what a user gives: a message that says where, an exit code, and never a traceback.

Whole commands on a tiny model. Disks that fill up and Ctrl-C have a file of their own, `test_trouble.py`.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heedful.recipe import SFTRecipe, load
from heedful.render.packing import pack
from heedful.training import sft
from heedful.training.tracking import Reporter
from tests import tiny
from tests.cli.command import Command, demonstrations, pair, pairs, quick, write


def info(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())
    return found


# Files that cannot be read


def test_an_empty_file(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = tmp_path / "empty.jsonl"
    data.touch()
    result = heedful("dpo", *quick(model, data, tmp_path / "run"))
    assert (result.code, result.err) == (2, f"error: {data}: the file is empty.\n")


def test_a_line_that_is_not_json(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = pairs(tmp_path / "pairs.jsonl", 8)
    data.write_text(data.read_text().replace('"prompt": "what is 2?"', '"prompt": what is 2?'))

    result = heedful("dpo", *quick(model, data, tmp_path / "run"))

    assert result.code == 2
    assert result.err.startswith(f"error: {data}:3: not JSON at column ")
    assert "bad_lines=quarantine" in result.err
    assert not (tmp_path / "run").exists()

    result = heedful("dpo", *quick(model, data, tmp_path / "run", "data.bad_lines=quarantine"))
    assert result.code == 0
    assert "8 read, 7 kept, 1 quarantined (not_json 1)" in result.err


def test_a_layout_nobody_knows(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.jsonl", [{"question": "a", "good": "b", "bad": "c"}] * 4)
    result = heedful("dpo", *quick(model, data, tmp_path / "run"))
    assert result.code == 2
    assert (
        f'{data}: the layout is not recognised. Keys of the first rows: "question", "good", "bad".'
        in result.err
    )
    assert "Nearest: " in result.err


def test_a_folder_in_place_of_a_file(heedful: Command, model: Path, tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    (tmp_path / "pairs.csv").write_text("prompt,chosen,rejected\nq,a,b\n")
    result = heedful("dpo", *quick(model, tmp_path, tmp_path / "run"))
    assert (result.code, result.err) == (
        2,
        f"error: {tmp_path}: is a folder. Name a file in it: pairs.csv, pairs.jsonl.\n",
    )


def test_a_gzip_file_that_is_cut_off(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl.gz"
    data.write_bytes(gzip.compress(pairs(tmp_path / "pairs.jsonl", 200).read_bytes())[:-200])
    result = heedful("dpo", *quick(model, data, tmp_path / "run"))
    assert result.code == 2
    assert f"{data}: the gzip file is cut off" in result.err


def test_a_file_that_is_not_there(heedful: Command, model: Path, tmp_path: Path) -> None:
    pairs(tmp_path / "pairs.jsonl")
    result = heedful("dpo", *quick(model, tmp_path / "pair.jsonl", tmp_path / "run"))
    assert result.code == 2
    assert f"no such file. Did you mean {tmp_path / 'pairs.jsonl'}?" in result.err


# Rows nobody can learn from


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (pair(9, rejected="the answer is 9"), "equal_sides"),
        (pair(9, rejected="  the  answer is 9 "), "equal_sides"),
        (pair(9, chosen=""), "empty_chosen"),
        (pair(9, rejected="\n"), "empty_rejected"),
        (pair(9, prompt=""), "empty_prompt"),
    ],
)
def test_a_pair_that_teaches_nothing_is_counted_and_the_rest_trained_on(
    heedful: Command, model: Path, tmp_path: Path, row: dict[str, Any], reason: str
) -> None:
    data = write(tmp_path / "pairs.jsonl", [*(pair(number) for number in range(8)), row])

    result = heedful("dpo", *quick(model, data, tmp_path / "run"))

    assert result.code == 0
    assert f"9 read, 8 kept, 1 quarantined ({reason} 1)" in result.err
    assert info(tmp_path / "run")["counts"]["read"][str(data)]["quarantined"] == {reason: 1}
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()


def test_a_file_of_nothing_but_such_pairs(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.jsonl", [pair(number, chosen="") for number in range(3)])
    result = heedful("dpo", *quick(model, data, tmp_path / "run"))
    assert result.code == 2
    assert "no row is left to train on" in result.err
    assert "empty_chosen 3" in result.err


LONG = pair(9, prompt="the cat sat on the mat and " * 60)


def test_a_prompt_that_is_too_long_is_cut_and_counted(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.jsonl", [*(pair(number) for number in range(7)), LONG])
    result = heedful("dpo", *quick(model, data, tmp_path / "run", "data.max_length=128"))
    assert result.code == 0
    assert "8 read, 8 kept" in result.err
    assert "1 prompts truncated" in result.err


def test_a_prompt_that_is_too_long_is_left_out_where_asked(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    data = write(tmp_path / "pairs.jsonl", [*(pair(number) for number in range(7)), LONG])
    asked = ["data.max_length=128", "data.truncation=drop", f"data.quarantine={tmp_path / 'left-out.jsonl'}"]
    result = heedful("dpo", *quick(model, data, tmp_path / "run", *asked))
    assert result.code == 0
    assert "8 read, 7 kept, 1 quarantined (too_long 1)" in result.err
    assert json.loads((tmp_path / "left-out.jsonl").read_text())["reason"] == "too_long"


def test_the_wrong_kind_of_data_names_the_right_command(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    preferences, shown = pairs(tmp_path / "pairs.jsonl"), demonstrations(tmp_path / "demos.jsonl")

    result = heedful("sft", *quick(model, preferences, tmp_path / "run"))
    assert result.code == 2
    assert "learns from demonstrations, and this is a preference. Train on it with: heedful dpo" in result.err

    result = heedful("dpo", *quick(model, shown, tmp_path / "run"))
    assert result.code == 2
    assert "learns from preferences, and this is a demonstration. Train on it with: heedful sft" in result.err
    assert not (tmp_path / "run").exists()


# Tokenizers that lack something


@pytest.mark.parametrize(
    "special",
    [
        {"pad_token": None},
        {"bos_token": None},
        {"pad_token": "<|im_end|>"},
        {"pad_token": None, "bos_token": None},
    ],
    ids=["no pad", "no bos", "pad is eos", "neither"],
)
@pytest.mark.parametrize("template", [tiny.CHATML, None], ids=["chatml", "no template"])
def test_any_tokenizer_trains_and_the_end_of_turn_is_learned(
    heedful: Command, tmp_path: Path, special: dict[str, Any], template: str | None
) -> None:
    folder = tiny.save(tmp_path / "model")
    for leftover in folder.glob("*token*"):
        leftover.unlink()
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    tiny.tokenizer(chat_template=template, **special).save_pretrained(folder)
    arguments = quick(folder, demonstrations(tmp_path / "demos.jsonl"), tmp_path / "run")

    assert heedful("sft", *arguments).code == 0

    recipe = load(None, arguments, stage="sft")
    assert isinstance(recipe, SFTRecipe)
    job = sft.prepare(recipe, reporter=Reporter(quiet=True))
    end = job.renderer.end_of_turn
    assert end == job.backbone.tokenizer.convert_tokens_to_ids("<|im_end|>")
    for packed in pack(job.train, 256):
        starts_of_others = (packed.target_sequence.diff() != 0).nonzero().flatten().tolist()
        last = [*starts_of_others, len(packed.target_ids) - 1]
        assert packed.target_ids[last].tolist() == [end] * packed.sequences


# Recipes and arguments


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=2", "unknown key training.epoch. Did you mean training.epochs?"),
        ("learning_rate=1e-4", "unknown key learning_rate. Did you mean training.learning_rate?"),
        ("training.epochs=two", 'training.epochs must be a number above 0, not "two".'),
        ("training.batch_size=1.5", "training.batch_size must be a whole number of at least 1, not 1.5."),
        ("data.max_length=0", "data.max_length must be a whole number of at least 2, not 0."),
        ("export.merged=maybe", 'export.merged must be true or false, not "maybe".'),
        ("objective.beta=[1, 2]", "objective.beta must be a number above 0, not [1, 2]."),
    ],
)
def test_an_override_that_does_not_fit(heedful: Command, tmp_path: Path, override: str, message: str) -> None:
    result = heedful("dpo", f"data.train={pairs(tmp_path / 'pairs.jsonl')}", override)
    assert (result.code, result.err) == (2, f"error: override {override!r}: {message}\n")


def test_a_recipe_with_a_misspelt_key_names_its_line(heedful: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data:\n  train: pairs.jsonl\n  max_lenght: 512\n")
    result = heedful("dpo", recipe)
    assert (result.code, result.err) == (
        2,
        f"error: {recipe}:3: unknown key data.max_lenght. Did you mean data.max_length?\n",
    )


def test_a_recipe_of_the_other_stage(heedful: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("stage: sft\ndata:\n  train: pairs.jsonl\n")
    result = heedful("dpo", recipe)
    assert (result.code, result.err) == (
        2,
        f"error: {recipe}:1: stage is sft, but this is the dpo command. Run: heedful sft\n",
    )


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.txt", "pairs.jsonl.gz"])
def test_a_data_file_in_place_of_a_recipe(heedful: Command, tmp_path: Path, name: str) -> None:
    text = pairs(tmp_path / "made.jsonl").read_bytes()
    data = tmp_path / name
    data.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    for arguments in ([data], ["training.epochs=2", data]):
        result = heedful("dpo", *arguments)
        assert result.code == 2
        assert f"{data}: this is a data file, and a recipe is YAML. Say data.train={data}" in result.err


def test_no_data_at_all(heedful: Command) -> None:
    result = heedful("sft")
    assert result.code == 2
    assert "data.train is missing" in result.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smollm2", "there is no model called 'smollm2'. Did you mean smollm2-135m?"),
        ("./nowhere", "no such file or folder"),
        ("nobody/nothing", "the model cannot be loaded"),
        ("runs", "there is no model called 'runs'"),
    ],
)
def test_a_model_that_does_not_exist(
    heedful: Command, tmp_path: Path, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A checkout whose quickstart was run does have a folder `runs`.
    monkeypatch.chdir(tmp_path)
    data = demonstrations(tmp_path / "demos.jsonl")
    result = heedful("sft", "--model", name, "--train", data, "--output", tmp_path / "run")
    assert result.code == 2
    assert message in result.err
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_here(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = demonstrations(tmp_path / "demos.jsonl")
    result = heedful("sft", *quick(model, data, tmp_path / "run", "model.device=gpu"))
    assert result.code == 2
    assert "the device 'gpu' cannot be used here" in result.err


def test_an_adapter_that_finds_no_layer(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = demonstrations(tmp_path / "demos.jsonl")
    for more in (["--dry-run"], []):
        result = heedful("sft", *more, *quick(model, data, tmp_path / "run", "lora.targets=[no_proj]"))
        assert result.code == 2
        assert "lora.targets: LoRA cannot be put on this model" in result.err


# Output folders


def test_a_folder_that_holds_a_run_already(heedful: Command, model: Path, run: Path, tmp_path: Path) -> None:
    before = (run / "run.json").read_bytes()
    result = heedful("dpo", *quick(model, pairs(tmp_path / "pairs.jsonl"), run))
    assert (result.code, result.err) == (
        2,
        f"error: {run}: the output folder already holds a run. "
        "Go on with it by --resume, or choose another output=FOLDER.\n",
    )
    assert (run / "run.json").read_bytes() == before


def test_a_folder_that_holds_something_else(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = pairs(tmp_path / "pairs.jsonl")
    for output, message in ((tmp_path, "is not empty"), (data, "is a file, not a folder")):
        result = heedful("dpo", *quick(model, data, output))
        assert result.code == 2
        assert message in result.err


def test_nothing_to_resume(heedful: Command, model: Path, tmp_path: Path) -> None:
    result = heedful("dpo", "--resume", *quick(model, pairs(tmp_path / "pairs.jsonl"), tmp_path / "run"))
    assert result.code == 2
    assert "there is no run to resume. Start it without --resume." in result.err


def test_resuming_by_another_recipe(heedful: Command, run: Path) -> None:
    result = heedful("dpo", run / "recipe.yaml", "--resume", "objective.beta=0.7")
    assert result.code == 2
    assert "the run was started with objective.beta = 0.1, and now it is 0.7" in result.err


def test_a_quarantine_file_that_cannot_be_written(heedful: Command, model: Path, tmp_path: Path) -> None:
    asked = f"data.quarantine={tmp_path}"
    result = heedful("dpo", *quick(model, pairs(tmp_path / "pairs.jsonl"), tmp_path / "run", asked))
    assert result.code == 2
    assert f"{tmp_path}: cannot be written" in result.err


def test_no_traceback_from_the_real_command(tmp_path: Path) -> None:
    data = tmp_path / "empty.jsonl"
    data.touch()
    command = [
        sys.executable,
        "-m",
        "heedful",
        "sft",
        "--train",
        str(data),
        "--output",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {data}: the file is empty.\n")
