"""What a judge said is on disk at once, survives a kill, and holds nothing that was judged."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from heedful.judges.cache import Cache, fingerprint
from heedful.judges.judge import Verdict

FIRST = Verdict("first", why="so")
NONE = Verdict(None, why="cut", undecided="unreadable")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "below" / "cache.jsonl"


def test_what_was_put_there_is_found_by_the_next_one(path: Path) -> None:
    cache = Cache(path)
    assert cache.get("a") is None
    cache.put("a", FIRST)
    cache.put("b", NONE)
    for found in (cache, Cache(path)):
        assert (found.get("a"), found.get("b"), found.get("c")) == (FIRST, NONE, None)


def test_half_a_line_is_passed_over_and_the_next_one_is_whole(path: Path) -> None:
    Cache(path).put("a", FIRST)
    with path.open("ab") as file:
        file.write(b'{"key": "b", "choice": "sec')
    cache = Cache(path)
    assert (cache.get("a"), cache.get("b")) == (FIRST, None)
    cache.put("c", FIRST)
    cache.put("d", FIRST)
    found = Cache(path)
    assert [found.get(key) for key in "abcd"] == [FIRST, None, FIRST, FIRST]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b'{"key": "a"}',
        b'{"key": "a", "choice": "third", "why": "", "undecided": ""}',
        b'{"key": "a", "choice": "first", "why": 3, "undecided": ""}',
        b'{"key": ["a"], "choice": "first", "why": "", "undecided": ""}',
    ],
)
def test_a_line_that_is_none_of_ours_is_passed_over(path: Path, line: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(line + b"\n")
    cache = Cache(path)
    assert cache.get("a") is None
    cache.put("b", FIRST)
    assert Cache(path).get("b") == FIRST


def test_a_later_line_counts_and_half_a_surrogate_pair_does_no_harm(path: Path) -> None:
    Cache(path).put("a", FIRST)
    Cache(path).put("a", Verdict("second", why="\ud83d"))
    assert Cache(path).get("a") == Verdict("second", why="\ud83d")


def test_several_writers_mix_no_lines(path: Path) -> None:
    """Two caches of one file, as of two processes, with four threads each."""
    caches = [Cache(path), Cache(path)]

    def write(number: int) -> None:
        for turn in range(25):
            caches[number % 2].put(f"{number}-{turn}", Verdict("tie", why="x" * 300))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line]
    assert len({json.loads(line)["key"] for line in lines}) == 200


def test_endpoints_and_models_have_files_of_their_own(cache_folder: Path) -> None:
    paths = {
        Cache.of(url, model).path
        for url in ("https://one/v1", "https://two/v1")
        for model in ("a/b:c", "a-b-c", "../../up")
    }
    assert len(paths) == 6
    assert {path.parent for path in paths} == {cache_folder / "judges"}


def test_a_fingerprint_tells_parts_apart() -> None:
    texts = [("a", "bc"), ("ab", "c"), ("abc", ""), ("a", "b", "c"), ("\ud83d", "")]
    assert len({fingerprint(*parts) for parts in texts}) == len(texts)
    assert fingerprint("a", 1) == fingerprint("a", 1)
