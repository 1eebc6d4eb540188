"""The script of letters, by Unicode's blocks."""

from __future__ import annotations

import unicodedata

import pytest

from heedful.checks.scripts import SCRIPTS, main_script, script_counts

TEXTS = {
    "latin": ("Crème brûlée, 3 €", 11),
    "greek": ("Καλημέρα!", 8),
    "cyrillic": ("Привет, мир", 9),
    "hebrew": ("שלום", 4),
    "arabic": ("مرحبا", 5),
    "devanagari": ("नमस", 3),
    "thai": ("สวสด", 4),
    "hangul": ("안녕하세요", 5),
    "kana": ("こんにちは", 5),
    "han": ("你好世界", 4),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_has_its_letters(script: str) -> None:
    text, letters = TEXTS[script]
    assert script_counts(text) == {script: letters}
    assert main_script(text) == script


def test_only_letters_count_and_texts_mix() -> None:
    assert script_counts("1 + 1 = 2 … “!” 😀") == {}
    assert main_script("1 + 1 = 2 … “!” 😀") == ""
    assert script_counts("日本の こんにちは OK") == {"han": 2, "kana": 6, "latin": 2}
    assert script_counts("ა") == {"other": 1}


def test_the_blocks_agree_with_the_names_of_their_letters() -> None:
    """Unicode's names begin with the script: LATIN SMALL LETTER A, CJK UNIFIED IDEOGRAPH-4E00."""
    names = {"han": "CJK", "kana": ("HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "KATAKANA-HIRAGANA")}
    letters = [chr(code) for code in range(0x80, 0xD800) if chr(code).isalpha()]
    for script in SCRIPTS:
        named = [
            one for one in letters if unicodedata.name(one, "").startswith(names.get(script, script.upper()))
        ]
        share = sum(script_counts(one)[script] for one in named) / len(named)
        assert share >= 0.95, script
