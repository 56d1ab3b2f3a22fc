# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of unit files. Every expectation is what systemd 252 and 257 made of the same text."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import unit_syntax

WORDS = [
    (
        r"a\x20b" + ' "c d" ' + r"""'e f' x"y z"w \s \\ $$HOME""",
        ["a b", "c d", "e f", "xy zw", " ", "\\", "$$HOME"],
    ),
    (r"\101 \u00e4 \U0001F600", ["A", "ä", "😀"]),
    # No characters: systemd keeps the escape.
    (r"\UFFFFFFFF \U00110000", [r"\UFFFFFFFF", r"\U00110000"]),
    (r"\ud800 a\x00b \000", [r"\ud800", r"a\x00b", r"\000"]),
    (r'"a\tb" a\qb', ["a\tb", r"a\qb"]),
    ('"" b', ["", "b"]),
    ("  ", []),
]
VALUES = [
    (r'--label="x y" --z=' + "'p q' " + r"a\ b", ["--label=x y", "--z=p q", "a b"]),
    ('-H fd:// "open quote', ["-H", "fd://", "open quote"]),
    (r"$x \n", ["$x", "n"]),
    ("", []),
]
EXPANSIONS = [
    ("--x=${A}/${B}", "--x=1/x y"),
    ("--y=$A", "--y=$A"),
    ("$$A$${A}", "$A${A}"),
    ("${NONE}", ""),
    ("${A:-x}${A", "${A:-x}${A"),
]
ENVIRONMENT = r"""# comment \
A='single $x \n'
; B=not this
B="dou \"ble\" \\ \x $HOME"
 C = spaced value
D=a\
b
E="a"'b' c
F=--label="x y" --z='p q'
export G=1
junk line
9=x
H="multi
line"
I=
J=a\"b\tc
K=1
K=2"""


@pytest.mark.parametrize(("text", "expected"), WORDS)
def test_words(text, expected):
    assert list(unit_syntax.words(text)) == expected


def test_an_open_quote_ends_the_words_with_an_error():
    words = unit_syntax.words('B=1 A="x y')
    assert next(words) == "B=1"
    with pytest.raises(ValueError, match="open quote"):
        next(words)


@pytest.mark.parametrize(("value", "expected"), VALUES)
def test_split_value(value, expected):
    assert unit_syntax.split_value(value) == expected


@pytest.mark.parametrize(("word", "expected"), EXPANSIONS)
def test_expanded(word, expected):
    assert unit_syntax.expanded(word, {"A": "1", "B": "x y"}) == expected


@pytest.mark.parametrize(
    ("word", "name"), [("$A", "A"), ("$$A", None), ("${A}", None), ("$A/b", None), ("a$A", None)]
)
def test_separate_variable(word, name):
    assert unit_syntax.separate_variable(word) == name


def test_environment_file():
    assert unit_syntax.environment_file(ENVIRONMENT) == {
        "A": r"single $x \n",
        "B": r'dou "ble" \ \x $HOME',
        "C": "spaced value",
        "D": "ab",
        "E": "abc",
        "F": """--label="x y" --z='p q'""",
        "H": "multi\nline",
        "I": "",
        "J": 'a"btc',
        "K": "2",
    }


def test_settings_of_a_section_with_continued_lines_and_comments():
    text = """[Unit]
ExecStart=no
[Service]
# ExecStart=neither
ExecStart = a \\
  ; comment
  b \\

c=d
Even=x\\\\
Last=1 \\"""
    assert list(unit_syntax.settings(text, "Service")) == [
        ("ExecStart", "a  b"),
        ("c", "d"),
        ("Even", "x\\\\"),
        ("Last", "1"),
    ]
