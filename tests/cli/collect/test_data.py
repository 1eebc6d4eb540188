"""`heedful collect export` and `import`: files out and in, with counts that add up and no half files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import heedful as face
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.records import Preference
from tests.cli.command import Command, Result, write
from tests.collect.making import a_person, an_item
from tests.collect.speaking import say


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with two votes on one item, one on another, and a skip."""
    database = Database.in_folder(tmp_path / "project")
    Project.open(database, Settings(strength=4))
    with database.write() as connection:
        ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
        one, two = an_item(connection, prompt="one?"), an_item(connection, prompt="two?")
        say(connection, ann, one, verdict="a", strength=2)
        say(connection, bob, one, verdict="b", strength=1)
        say(connection, ann, two, verdict="b", strength=3, flags=("broken",))
        say(connection, bob, two, verdict="skip", reason="too long")
    database.close()
    return tmp_path / "project"


@pytest.fixture
def run(heedful: Command, project: Path):
    """Runs a command of `heedful collect` on the project."""

    def called(*arguments: object) -> Result:
        return heedful("collect", *arguments, "--project", project)

    return called


def test_the_preferences_are_what_dpo_trains_on(run, tmp_path: Path) -> None:
    out = tmp_path / "preferences.jsonl"
    done = run("export", out)

    assert done.code == 0
    assert done.out.splitlines() == [
        "4 read, 3 kept, 1 quarantined (skipped 1)",
        f"2 written to {out}",
        f"made of the log up to row 4; how, stands in {tmp_path / 'preferences.export.json'}",
    ]
    kept = face.read(out)
    assert all(isinstance(record, Preference) for record in kept)
    assert [(p.prompt[0].content, p.chosen[0].content, p.tie) for p in kept] == [
        ("one?", "red", True), ("two?", "blue", False),
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        "project", "preferences.jsonl", "preferences.export.json",
    }  # fmt: skip


def test_dpo_takes_an_export_as_it_is(heedful: Command, run, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "preferences.jsonl"
    assert run("export", out, "--ties", "drop").code == 0
    settings = ["data.eval_fraction=0", "training.batch_size=1", "training.max_steps=1", "lora.rank=2"]
    done = heedful(
        "dpo", "--quiet", f"model.name={model}", f"data.train={out}", f"output={tmp_path / 'run'}", *settings
    )

    assert done.code == 0, done.err
    assert (tmp_path / "run" / "adapter").is_dir()


@pytest.mark.parametrize(
    ("options", "kept", "reasons"),
    [
        ([], 3, {"skipped": 1}),
        (["--min-votes", "2"], 2, {"skipped": 1, "too_few_votes": 1}),
        (["--min-agreement", "0.9"], 1, {"skipped": 1, "low_agreement": 2}),
        (["--ties", "drop"], 1, {"skipped": 1, "tie": 2}),
        (["--without-flagged", "broken"], 2, {"flagged": 2}),
    ],
)
def test_the_options_say_what_is_left_out(
    run, tmp_path: Path, options: list[str], kept: int, reasons: dict[str, int]
) -> None:
    assert run("export", tmp_path / "out.jsonl", *options).code == 0

    told = json.loads((tmp_path / "out.export.json").read_text(encoding="utf-8"))
    assert (told["read"], told["used"], told["left_out"]) == (4, kept, reasons)


def test_the_method_and_the_soft_labels_are_chosen(run, tmp_path: Path) -> None:
    done = run("export", tmp_path / "out.jsonl", "--aggregate", "dawid-skene", "--soft", "weight", "--quiet")

    assert (done.code, done.out) == (0, "")
    told = json.loads((tmp_path / "out.export.json").read_text(encoding="utf-8"))
    assert told["settings"]["pairs"]["aggregate"] == {
        "method": "dawid-skene", "min_votes": 1, "min_agreement": 0.0, "soft": "weight",
    }  # fmt: skip


def test_each_kind_has_its_rows(run, tmp_path: Path) -> None:
    counts = {}
    for what in ("judgements", "records", "votes", "preferences"):
        assert run("export", tmp_path / f"{what}.jsonl", "--what", what).code == 0
        counts[what] = (tmp_path / f"{what}.jsonl").read_text(encoding="utf-8").count("\n")

    assert counts == {"judgements": 4, "records": 6, "votes": 3, "preferences": 2}


def test_what_a_layout_has_no_place_for_is_said(run, tmp_path: Path) -> None:
    left = tmp_path / "left.jsonl"
    done = run("export", tmp_path / "out.jsonl", "--to", "trl", "--quarantine", left)

    assert f"1 written to {tmp_path / 'out.jsonl'}; 1 not written (tie)" in done.out
    assert f"2 left-out rows written to {left}" in done.out
    rows = [json.loads(line) for line in left.read_text(encoding="utf-8").splitlines()]
    assert [row["reason"] for row in rows] == ["skipped", "tie"]
    assert (rows[0]["raw"]["annotator"], rows[0]["raw"]["verdict"]) == ("bob", "skip")


def test_an_earlier_state_of_the_log_is_exported_again(run, tmp_path: Path) -> None:
    assert run("export", tmp_path / "a.jsonl", "--until", "2").code == 0
    assert run("export", tmp_path / "b.jsonl", "--until", "2026-03-01T12:00").code == 0
    assert run("export", tmp_path / "c.jsonl", "--until", "2026-03-01T11:59:59Z").code == 0

    rows = [(tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").count("\n") for name in "abc"]
    assert rows == [1, 2, 0]  # all four votes are of noon


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--until", "yesterday"], '--until: "yesterday" is neither. Say a row\'s id, or a time'),
        (["--until", "99"], "--until: the log ends with row 4; there is no row 99."),
        (["--without-flagged", "rude"], '--without-flagged: the project has no flag "rude".'),
        (["--to", "arena"], '--to: the layout "arena" is not written.'),
        (["--what", "judgements", "--to", "trl"], "--to: the log of judgements has one layout of its own."),
        (["--what", "votes", "--aggregate", "weighted"], "--aggregate: is about preferences."),
        (["--what", "votes", "--ties", "drop"], "--ties: is about preferences."),
    ],
)
def test_what_cannot_be_is_refused_and_no_file_is_left(
    run, tmp_path: Path, options: list[str], said: str
) -> None:
    done = run("export", tmp_path / "out.jsonl", *options)

    assert done.code == 2
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_no_file_is_written_over_unless_told(run, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine", encoding="utf-8")
    refused = run("export", out)
    assert (refused.code, out.read_text(encoding="utf-8")) == (2, "mine")
    assert run("export", out, "--overwrite").code == 0
    out.unlink()
    assert run("export", out).code == 2  # what stands beside it is there yet
    assert not out.exists()


def test_an_interrupted_export_leaves_what_was_there(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine", encoding="utf-8")

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    done = run("export", out, "--overwrite")

    assert done.code == 130
    assert out.read_text(encoding="utf-8") == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"project", "out.jsonl"}


def test_a_folder_without_a_project_is_told(heedful: Command, tmp_path: Path) -> None:
    done = heedful("collect", "export", tmp_path / "out.jsonl", "--project", tmp_path / "none")

    assert done.code == 2
    assert "there is no project here" in done.err
    assert not (tmp_path / "none").exists()


def studio(number: int, by: int, side: str) -> dict[str, Any]:
    result = {"from_name": "c", "to_name": "c", "type": "pairwise", "value": {"selected": side}}
    return {
        "id": number,
        "data": {"prompt": f"q{number}", "answer1": "one", "answer2": "two"},
        "annotations": [{"id": number * 10 + by, "completed_by": by, "result": [result], "lead_time": 3.0}],
    }


def test_an_export_of_label_studio_begins_a_project(heedful: Command, tmp_path: Path) -> None:
    rows = [studio(1, 2, "left"), studio(2, 3, "right"), {**studio(3, 2, "left"), "annotations": []}]
    data, new, left = write(tmp_path / "theirs.jsonl", rows), tmp_path / "new", tmp_path / "left.jsonl"

    done = heedful("collect", "import", data, "overlap=2", "--project", new, "--quarantine", left)
    again = heedful("collect", "import", data, "--project", new)

    assert done.code == 0
    assert done.out.splitlines() == [
        "theirs.jsonl: 3 read, 2 kept, 1 quarantined (no_vote 1); 2 votes added, 0 known already; "
        "2 items and 2 people are new",
        f"1 left-out rows written to {left}",
    ]
    assert "0 votes added, 2 known already; 0 items and 0 people are new" in again.out
    database = Database.in_folder(new)
    with database.read() as connection:
        wanted = connection.execute(schema.items.select()).all()
    database.close()
    assert [(item.wanted, item.votes, item.open) for item in wanted] == [(2, 1, True), (2, 1, True)]
    assert heedful("collect", "export", tmp_path / "out.jsonl", "--project", new).code == 0
    assert [p.chosen[0].content for p in face.read(tmp_path / "out.jsonl")] == ["one", "two"]


def test_settings_are_for_a_new_project_alone(run, tmp_path: Path) -> None:
    data = write(tmp_path / "theirs.jsonl", [studio(1, 2, "left")])
    done = run("import", data, "task=ranking")

    assert done.code == 2
    assert "task=ranking: the project has its settings already." in done.err


def test_who_comes_in_by_an_import_can_be_let_in(run, tmp_path: Path) -> None:
    assert run("import", write(tmp_path / "theirs.jsonl", [studio(1, 2, "left")])).code == 0

    assert run("people", "restore", "2").code == 0
    assert "/join/" in run("people", "link", "2").out
