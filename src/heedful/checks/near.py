"""Near-duplicate texts: which of very many are almost the same.

A text is the set of its character 5-grams, and two are near where the Jaccard similarity of their sets
reaches a threshold. MinHash signatures (Broder 1997) in bands (locality-sensitive hashing; Leskovec,
Rajaraman and Ullman, Mining of Massive Datasets, ch. 3) find the candidates, and each is verified by its true
similarity: what is called near is near, and of near pairs about one in a hundred is missed. All on whole
arrays: 200 000 prompts take seconds, where an object and a call per text (datasketch) take minutes. Knows
texts, not records.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

NEAR = 0.8
SHINGLE = 5  # characters
PERMUTATIONS = 96
RECALL = 0.99  # of pairs whose similarity is exactly the threshold
SLACK = 0.12  # a candidate's estimate may lie this far under the threshold: three standard errors
ROUNDS = 16  # members of a bucket that the others are compared with, at most
FEW = 1000  # pairs of a band that are compared whatever comes of it
YIELD = 0.05  # of more pairs that must be near for a further round: others share a template, no more
BATCH = 1024  # texts hashed together
BLOCK = 4096  # shingles permuted together: what fits a core's cache

# Sentences end and quote differently; "3+4" and "3-4" are not the same question.
_MARKS = re.compile("[.,;:!?\"'`‘’“”…。，！？、]")

Hashes = NDArray[np.uint32]
Agree = Callable[[int, int], bool]
Progress = Callable[[int, int], None]


def normalised(text: str) -> str:
    """As compared for nearness: NFKC, no case, no extra white space, no marks of sentences and quotations."""
    whole = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(_MARKS.sub(" ", whole.casefold()).split())


def jaccard(one: str, other: str) -> float:
    """The similarity of two texts, between 0 and 1: shingles they share over shingles of either."""
    left, right = _shingle_set(one), _shingle_set(other)
    both = np.sort(np.concatenate([left, right]))
    shared = np.count_nonzero(both[1:] == both[:-1])
    return float(shared / (len(both) - shared))


@lru_cache(maxsize=1024)
def _shingle_set(text: str) -> Hashes:
    hashes = np.sort(_shingles([text])[0])
    different: Hashes = hashes[np.diff(hashes, prepend=~hashes[:1]) != 0]
    return different


def _shingles(texts: Sequence[str]) -> list[Hashes]:
    """The hashes of each text's shingles, in order; a text too short for one is padded to one."""
    padded = [text.ljust(SHINGLE, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    starts = len(codes) - SHINGLE + 1
    hashes = codes[:starts].copy()
    for place in range(1, SHINGLE):
        hashes *= np.uint32(0x01000193)
        hashes += codes[place : place + starts]
    _mix(hashes)
    found, begin = [], 0
    for text in padded:  # the windows that reach into the next text are left out
        found.append(hashes[begin : begin + len(text) - SHINGLE + 1])
        begin += len(text)
    return found


def _mix(hashes: Hashes) -> None:
    """MurmurHash3's finalizer, in place: every bit of the result depends on every bit before."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashes ^= hashes >> np.uint32(shift)
        hashes *= np.uint32(factor)
    hashes ^= hashes >> np.uint32(16)


def _bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows: the most rows that still find `RECALL` of pairs at the threshold."""
    rows = 1
    for more in range(2, PERMUTATIONS + 1):
        if 1 - (1 - threshold**more) ** (PERMUTATIONS // more) >= RECALL:
            rows = more
    return PERMUTATIONS // rows, rows


class NearIndex:
    """Texts to be grouped, or asked for what is near them.

    Memory: 4 bytes a permutation and a text (384 bytes), the different texts themselves, and one array of
    8 bytes a text and band while it is asked.
    """

    def __init__(self, threshold: float = NEAR) -> None:
        """`threshold`: the least Jaccard similarity of two near texts, over 0 and at most 1."""
        if not 0 < threshold <= 1:
            raise ValueError(f"the similarity must be over 0 and at most 1, not {threshold:g}")
        self.threshold = threshold
        self._bands, self._rows = _bands(threshold)
        random = np.random.default_rng(0)  # of no consequence: any will do, and always the same
        count = (PERMUTATIONS, 1)
        self._factors = random.integers(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
        self._offsets = random.integers(0, 1 << 32, count, dtype=np.uint32)
        self._weights = random.integers(0, 1 << 63, self._rows, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        self._place: dict[str, int] = {}
        self._items: list[int] = []
        self._sorted: list[tuple[NDArray[np.uint64], NDArray[np.intp]]] = []
        self._signed: Hashes = np.empty((0, PERMUTATIONS), np.uint32)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, text: str) -> None:
        """Add a text, already `normalised`; texts are numbered from 0 in the order they come."""
        self._items.append(self._place.setdefault(text, len(self._place)))
        self._sorted.clear()

    def groups(self, *, agree: Agree | None = None, progress: Progress | None = None) -> NDArray[np.intp]:
        """The group of each text, `[texts]`: the number of its first member.

        What is near a member of a group is of the group: of a chain of near texts the ends may differ.

        Args:
            agree: asked of the numbers of two near texts whether they go together; None where all do. The
                same text goes with itself and is not asked about.
            progress: told how many of the steps are done.
        """
        texts = list(self._place)
        firsts = np.full(len(texts), -1, np.intp)
        for item, place in reversed(list(enumerate(self._items))):
            firsts[place] = item
        signatures = self._signatures(texts, progress)
        links = _Links(len(texts))
        refused: set[tuple[int, int]] = set()

        def near(left: int, right: int) -> bool:
            if jaccard(texts[left], texts[right]) < self.threshold:
                return False
            return agree is None or agree(int(firsts[left]), int(firsts[right]))

        for band in range(self._bands):
            keys = self._keys(signatures, band)
            for left, right in _bucket_pairs(keys, links):
                likely = self._likely(signatures, left, signatures, right)
                for pair in zip(left[likely].tolist(), right[likely].tolist(), strict=True):
                    if links.root(pair[0]) == links.root(pair[1]) or pair in refused:
                        continue
                    if near(*pair):
                        links.unite(*pair)
                    else:
                        refused.add(pair)
        # Places are in order of first appearance, so a group's first place holds its first text.
        return firsts[links.roots()][np.array(self._items, np.intp)]

    def nearest(self, texts: Sequence[str]) -> list[str | None]:
        """For each text, already `normalised`, an indexed text that is near it; None where there is none."""
        indexed = list(self._place)
        if not self._sorted:
            self._signed = self._signatures(indexed)
            for band in range(self._bands):
                keys = self._keys(self._signed, band)
                order = np.argsort(keys)
                self._sorted.append((keys[order], order))
        found: list[str | None] = [None] * len(texts)
        signatures = self._signatures(texts)
        for band, (keys, order) in enumerate(self._sorted):
            asked = self._keys(signatures, band)
            low, high = np.searchsorted(keys, asked, "left"), np.searchsorted(keys, asked, "right")
            sizes = np.minimum(high - low, ROUNDS)
            left = np.repeat(np.arange(len(texts)), sizes)
            shifts = np.arange(len(left)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            right = order[low[left] + shifts]
            likely = self._likely(signatures, left, self._signed, right)
            for text, place in zip(left[likely].tolist(), right[likely].tolist(), strict=True):
                if found[text] is None and jaccard(texts[text], indexed[place]) >= self.threshold:
                    found[text] = indexed[place]
        return found

    def _signatures(self, texts: Sequence[str], progress: Progress | None = None) -> Hashes:
        """The least of each text's shingles under each permutation, `[texts, PERMUTATIONS]`."""
        found = np.empty((len(texts), PERMUTATIONS), np.uint32)
        for begin in range(0, len(texts), BATCH):
            for place, hashes in enumerate(_shingles(texts[begin : begin + BATCH]), begin):
                blocks = (hashes[at : at + BLOCK] for at in range(0, len(hashes), BLOCK))
                least = [(block * self._factors + self._offsets).min(axis=1) for block in blocks]
                found[place] = least[0] if len(least) == 1 else np.minimum.reduce(least)
            if progress is not None:
                progress(min(begin + BATCH, len(texts)), len(texts))
        return found

    def _keys(self, signatures: Hashes, band: int) -> NDArray[np.uint64]:
        """One number for a band of each signature: the same where all of its rows are."""
        rows = signatures[:, band * self._rows : (band + 1) * self._rows]
        keys: NDArray[np.uint64] = (rows * self._weights).sum(axis=1, dtype=np.uint64)
        return keys

    def _likely(
        self, one: Hashes, left: NDArray[np.intp], other: Hashes, right: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Which pairs may be near, by the share of their signatures that is the same."""
        least = (self.threshold - SLACK) * PERMUTATIONS
        found = np.empty(len(left), np.bool_)
        for begin in range(0, len(left), BLOCK):
            part = slice(begin, begin + BLOCK)
            found[part] = np.count_nonzero(one[left[part]] == other[right[part]], axis=1) >= least
        return found


def _bucket_pairs(
    keys: NDArray[np.uint64], links: _Links
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of one bucket (of the same key): all with the first; then, without those it took, with the next.

    Ends early where many were compared and few taken: texts that share a template fill a bucket, and the near
    ones among them meet in buckets of other bands.
    """
    members = np.argsort(keys, kind="stable")
    run = np.cumsum(np.diff(keys[members], prepend=keys[members][:1]) != 0)
    for _ in range(ROUNDS):
        several = np.bincount(run)[run] > 1
        members, run = members[several], run[several]
        if not len(members):
            return
        opens = np.concatenate([[True], run[1:] != run[:-1]])
        first = members[opens][np.cumsum(opens) - 1]
        yield first[~opens], members[~opens]
        roots = links.roots()
        left = roots[members] != roots[first]
        compared = np.count_nonzero(~opens)
        members, run = members[left], run[left]
        if compared > FEW and len(members) > (1 - YIELD) * compared:
            return


class _Links:
    """Union-find; the root of a group is its least member."""

    def __init__(self, count: int) -> None:
        self._parent = np.arange(count)

    def root(self, member: int) -> int:
        parent = self._parent
        while (above := int(parent[member])) != member:
            parent[member] = parent[above]
            member = above
        return member

    def unite(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low

    def roots(self) -> NDArray[np.intp]:
        """The root of each member."""
        roots = self._parent
        while not np.array_equal(above := roots[roots], roots):
            roots = above
        return roots
