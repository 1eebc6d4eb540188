"""The house keeps its shape: floors, light imports and small files.

The floors are written once, as import-linter contracts in pyproject.toml; these tests run them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "src" / "heedful"
MOST_LINES = 400
HEAVY = ("torch", "transformers", "peft", "accelerate", "pandas", "matplotlib")


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=120)


def lint_imports(folder: Path, python_path: Path) -> tuple[int, str]:
    """Run the contracts of `folder`/pyproject.toml on the `heedful` found under `python_path`."""
    code = (
        f"import sys; sys.path.insert(0, {str(python_path)!r})\n"
        "from importlinter.cli import lint_imports\n"
        "sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    done = run_python(code, folder)
    return done.returncode, done.stdout + done.stderr


def test_no_lower_floor_imports_a_higher_one() -> None:
    code, output = lint_imports(CHECKOUT, PACKAGE.parent)
    assert code == 0, output


def test_the_contracts_notice_what_they_are_there_for(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    house = tmp_path / "heedful"
    shutil.copytree(PACKAGE, house, ignore=shutil.ignore_patterns("__pycache__", "data"))
    breaks = {
        "errors.py": "import heedful.models\nimport heedful.records\n",
        "records.py": "import heedful.errors\n",
        "formats/__init__.py": "import torch\n",
        "collect/__init__.py": "import heedful.models\n",
        "collect/store/__init__.py": "import heedful.collect.web\n",
        "objectives/__init__.py": "import pathlib\n",
        "attic.py": "",  # a room on no floor
    }
    for name, lines in breaks.items():
        with (house / name).open("a", encoding="utf-8") as file:
            file.write(lines)

    code, output = lint_imports(tmp_path, tmp_path)

    assert code == 1, output
    verdicts = [line.split()[-1] for line in output.splitlines() if line.endswith((" KEPT", " BROKEN"))]
    assert verdicts == ["BROKEN"] * 6, output
    assert "heedful.errors -> heedful.models" in output
    assert "heedful.attic" in output


@pytest.mark.parametrize("module", ["heedful", "heedful.records", "heedful.formats", "heedful.recipe"])
def test_light_rooms_import_nothing_heavy(module: str, tmp_path: Path) -> None:
    done = run_python(f"import sys, {module}; print(*(n for n in {HEAVY} if n in sys.modules))", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_file_is_longer_than_a_room_should_be() -> None:
    code = (path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".html", ".j2", ".css", ".js"})
    lengths = {
        str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in code
    }
    assert lengths, f"no code under {PACKAGE}"
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
