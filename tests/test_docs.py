"""What README and docs name is there, and what preparing data comes to; `tests/docs` runs every page."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful.cli import main

CHECKOUT = Path(__file__).resolve().parents[1]


def test_preparing_data_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answers = "".join(
        f'"What is {n} and {n}?","{reply}",{score}\n'
        for n in range(12)
        for reply, score in ((f"{2 * n}.", 5), (f"It is {2 * n}, I think.", 3.5), ("No idea.", 1))
    )
    Path("ratings.csv").write_text(f"question,answer,score\n{answers}", encoding="utf-8")
    text = (CHECKOUT / "docs/preparing-data.md").read_text(encoding="utf-8")

    for line in re.findall(r"^\$ heedful (.*)$", text, re.MULTILINE):
        assert main(shlex.split(line)) == 0, line
    assert len(heedful.read("pairs.jsonl")) == 12 * 3
    assert {path.name for path in Path("parts").iterdir()} == {"train.jsonl", "test.jsonl"}
    assert heedful.read("train.parquet").counts.kept == len(heedful.read("parts/train.jsonl"))

    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "preparing-data.md", "exec"), names)
    assert (len(names["pairs"]), names["pairs"][0].margin) == (12, 4)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_every_target_of_the_makefile_has_one_recipe_and_what_it_needs() -> None:
    text = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    (names,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    command = ["make", "--dry-run", "--always-make", *names.split()]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "pip --disable-pip-version-check install --quiet -c constraints.txt -e '.[bench]'" in done.stdout


def test_every_command_named_in_the_docs_exists() -> None:
    from typer.main import get_command

    from heedful.cli import app

    known = set(getattr(get_command(app), "commands", {}))
    for page in (
        "README.md",
        *sorted(str(p.relative_to(CHECKOUT)) for p in (CHECKOUT / "docs").glob("*.md")),
    ):
        text = (CHECKOUT / page).read_text(encoding="utf-8")
        for command in re.findall(r"(?:`|\$ )heedful ([a-z]+)", text):
            assert command in known, f"{page} names `heedful {command}`"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
