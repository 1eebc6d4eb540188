"""Stages that build on each other: which are run, reused, refused and set aside. No models are needed."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from heedful.errors import DataError, RecipeError, RunError
from heedful.models import fingerprints
from heedful.recipe import AnyRecipe
from heedful.training import processes
from heedful.training.folder_stage import FolderStage
from heedful.training.graph import Graph
from heedful.training.set_aside import follow, set_aside
from heedful.training.tracking import Reporter

# What each stage is built on.
BEFORE = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


class Work:
    """Four stages that each write down what they read; `c` counts only the first letter of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "out"
        self.source = folder / "source.txt"
        self.source.write_text("one")
        self.settings = {name: {"key": 0} for name in BEFORE}
        self.gates: set[str] = set()
        self.fail: set[str] = set()

    def graph(self, redo: Sequence[str] = (), *, resume: bool = False) -> Graph:
        stages = [self._stage(name) for name in BEFORE]
        return Graph(AnyRecipe(stage="test"), self.folder, stages, redo=redo, resume=resume)

    def run(self, *redo: str) -> list[str]:
        return self.graph(redo).run(Reporter(quiet=True))

    def refused(self, *redo: str) -> str:
        with pytest.raises(RunError) as caught:
            self.run(*redo)
        return str(caught.value)

    def text(self, name: str) -> str:
        return (self.folder / name / "text").read_text()

    def _stage(self, name: str) -> FolderStage:
        inputs = [self.folder / before / "text" for before in BEFORE[name]] or [self.source]

        def reads(pending: Sequence[Path]) -> Mapping[str, str]:
            known = [path for path in inputs if path.parent not in pending]
            return {path.parent.name: fingerprints.of_file(path) for path in known}

        def work(part: Path) -> None:
            if name in self.fail:
                raise DataError("it failed.")
            read = "+".join(path.read_text() for path in inputs)
            (part / "text").write_text(f"{name}({read[:1] if name == 'c' else read})")

        def gate(folder: Path) -> None:
            if name in self.gates:
                raise DataError(f"{name} is closed.")

        return FolderStage(name, self.folder / name, BEFORE[name], self.settings[name], reads, work, gate)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def test_each_stage_is_run_once_after_those_it_reads(work: Work) -> None:
    assert work.run() == ["a", "b", "c", "d"]
    assert work.text("d") == "d(b(a(one))+c(a))"
    assert work.run() == []


def test_what_failed_goes_on_and_what_is_finished_stays(work: Work) -> None:
    work.fail = {"c"}
    with pytest.raises(DataError):
        work.run()
    assert work.graph().check() == {"a": "finished", "b": "finished", "c": "unfinished", "d": "new"}
    work.fail = set()
    assert work.run() == ["c", "d"]


def test_another_setting_is_refused_by_the_stage_whose_it_is(work: Work) -> None:
    work.run()
    work.settings["b"] = {"key": 1}
    assert work.refused() == (
        f"{work.folder / 'b'}: stage b: it was made with key = 0, and now that is 1. Choose another "
        "output=FOLDER, or set aside what is there with --redo b."
    )
    assert work.run("b") == ["b"]  # it comes to the same
    work.settings["b"] = {"other": 1}
    assert "it was made with key = 1, and now that is None." in work.refused()


def test_other_contents_are_followed_no_further_than_they_reach(work: Work) -> None:
    work.run()
    work.source.write_text("two")
    assert "stage a: what" in work.refused()
    # c reads less than there is, and comes out the same.
    assert work.run("a") == ["a", "b", "c", "d"]
    assert work.text("d") == "d(b(a(two))+c(a))"
    aside = {path.parent.name: path.read_text() for path in work.folder.glob("set-aside-1/*/text")}
    assert aside == {"a": "a(one)", "b": "b(a(one))", "c": "c(a)", "d": "d(b(a(one))+c(a))"}


def test_what_is_built_on_something_that_is_to_come_is_not_judged_yet(work: Work) -> None:
    work.run()
    work.source.write_text("two")
    standings = work.graph(["a"]).check()
    assert standings == {"a": "new", "b": "finished", "c": "finished", "d": "finished"}


def test_a_change_that_was_not_asked_for_is_refused_beside_one_that_was(work: Work) -> None:
    work.run()
    work.settings["b"] = work.settings["c"] = {"key": 1}
    assert "stage c: it was made with key = 0" in work.refused("b")
    assert not (work.folder / "set-aside-1").exists()
    assert work.run("b", "c") == ["b", "c"]


def test_a_redo_is_remembered_until_all_is_finished(work: Work) -> None:
    work.run()
    work.source.write_text("two")
    work.fail = {"d"}
    for redo in (["a"], [], ["a"]):
        with pytest.raises(DataError):
            work.run(*redo)
    work.fail = set()
    assert work.run() == ["d"]
    assert sorted(path.name for path in work.folder.glob("set-aside-*")) == ["set-aside-1"]
    assert work.run("d") == ["d"]
    assert (work.folder / "set-aside-2" / "d").is_dir()


def test_a_kill_between_asking_and_setting_aside_loses_nothing(work: Work) -> None:
    work.run()
    asked = {"stages": ["b"], "todo": ["b"], "to": "set-aside-1"}
    (work.folder / "redo.json").write_text(json.dumps(asked))
    assert work.run() == ["b"]
    (work.folder / "redo.json").write_text("{")
    assert "redo.json: this file cannot be read" in work.refused()


def test_a_gate_is_asked_whenever_one_comes_by(work: Work) -> None:
    work.gates = {"b"}
    for _ in range(2):
        with pytest.raises(DataError, match="b is closed"):
            work.run()
    assert not (work.folder / "c").exists()
    # Not of what is to be made anew.
    assert work.graph(["a"]).check()["b"] == "finished"
    work.gates = set()
    assert work.run() == ["c", "d"]


def test_what_is_said_names_every_stage(work: Work) -> None:
    said = io.StringIO()
    work.run()
    work.source.write_text("two")
    work.graph(["a"]).run(Reporter(stream=said))
    assert said.getvalue().splitlines()[:4] == [
        f"Stage a: what was there is set aside in {work.folder / 'set-aside-1' / 'a'}.",
        f"Stage a: begins in {work.folder / 'a'}.",
        "Stage b: what a names has changed since it was made.",
        f"Stage b: what was there is set aside in {work.folder / 'set-aside-1' / 'b'}.",
    ]


def test_a_part_of_other_contents_is_not_gone_on_with(work: Work) -> None:
    work.fail = {"a"}
    with pytest.raises(DataError):
        work.run()
    part = work.folder / ".a.part"
    (part / "left").touch()
    with pytest.raises(DataError):
        work.run()
    assert (part / "left").exists()
    work.source.write_text("two")
    with pytest.raises(DataError):
        work.run()
    assert not (part / "left").exists()


def test_folders_that_hold_something_else_are_left_alone(work: Work) -> None:
    work.folder.mkdir()
    (work.folder / "notes.txt").touch()
    assert "the output folder is not empty" in work.refused()
    (work.folder / "notes.txt").rename(work.folder / "recipe.yaml")
    (work.folder / "b").mkdir()
    assert f"{work.folder / 'b'}: this is not a stage's folder." in work.refused()
    assert os.listdir(work.folder / "b") == []


def test_there_must_be_something_to_resume_where_that_is_asked(work: Work) -> None:
    with pytest.raises(RunError, match=r"there is nothing to resume\. Start it without --resume\."):
        work.graph(resume=True).check()
    work.run()
    assert work.graph(resume=True).run(Reporter(quiet=True)) == []


def test_an_unknown_stage_names_those_there_are(work: Work) -> None:
    with pytest.raises(
        RecipeError, match=r"--redo: there is no stage e in this recipe\. Its stages: a, b, c, d\."
    ):
        work.run("e")


def test_several_processes_are_told_to_run_single_stages(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count", lambda: 2)
    assert "stages are gone through in one process." in work.refused()


# ---- setting aside


def adapter(folder: Path, base: str, lineage: list[str]) -> None:
    """A run as far as it says what it stands on."""
    (folder / "adapter").mkdir(parents=True)
    (folder / "adapter" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    (folder / "run.json").write_text(json.dumps({"model": {"name": "m", "lineage": lineage}}))


def stands_on(folder: Path) -> list[str]:
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    return [
        config["base_model_name_or_path"],
        *json.loads((folder / "run.json").read_text())["model"]["lineage"],
    ]


def test_what_stands_on_a_folder_follows_it_and_back(tmp_path: Path) -> None:
    sft, aside = str(tmp_path / "sft" / "adapter"), tmp_path / "set-aside-1" / "sft"
    adapter(tmp_path / "sft", "base-model", [])
    adapter(tmp_path / "dpo", sft, [sft])
    adapter(tmp_path / "set-aside-0" / "dpo", sft, [sft])
    adapter(tmp_path / "sft-2", str(tmp_path / "sft-1" / "adapter"), [])
    assert set_aside(tmp_path / "sft", aside, tmp_path)
    for place in ("dpo", "set-aside-0/dpo"):
        assert stands_on(tmp_path / place) == [str(aside / "adapter")] * 2
    assert stands_on(aside) == ["base-model"]
    assert stands_on(tmp_path / "sft-2") == [str(tmp_path / "sft-1" / "adapter")]
    follow(tmp_path / "dpo", aside, tmp_path / "sft")
    assert stands_on(tmp_path / "dpo") == [sft] * 2
    assert stands_on(tmp_path / "set-aside-0" / "dpo") == [str(aside / "adapter")] * 2


def test_there_may_be_nothing_to_set_aside(tmp_path: Path) -> None:
    assert not set_aside(tmp_path / "none", tmp_path / "set-aside-1" / "none", tmp_path)
    assert not (tmp_path / "set-aside-1").exists()
