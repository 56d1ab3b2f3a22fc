# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of systemd's unit files and environment files, read as systemd reads it. Pure.

Source of the rules: systemd.syntax(7), systemd.service(5), systemd.exec(5), and systemd's own parsers where the
pages leave it open (measured on systemd 252 and 257).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping

_COMMENT = ("#", ";")
_C_ESCAPE = re.compile(
    r"\\(?:([abfnrtvs\\\"'])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"
)
_ANY_ESCAPE = re.compile(r"\\(.)()()()()", re.DOTALL)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_REFERENCE = re.compile(r"\$(?:\$|\{([A-Za-z0-9_]*)\})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def settings(text: str, section: str) -> Iterator[tuple[str, str]]:
    """The `Key=value` lines of a section, in order; of a continued line the parts are joined by a space."""
    current = ""
    for line in _logical_lines(text):
        if line.startswith("[") and line.endswith("]"):
            current = line[1:-1]
        elif current == section:
            key, separator, value = line.partition("=")
            if separator:
                yield key.rstrip(), value.lstrip()


def _logical_lines(text: str) -> Iterator[str]:
    begun: list[str] = []
    for line in text.split("\n"):
        part = line.lstrip()
        # A comment within a continued line does not end it.
        if part.startswith(_COMMENT):
            continue
        if (len(part) - len(part.rstrip("\\"))) % 2:
            begun += [part[:-1], " "]
            continue
        yield "".join((*begun, part)).strip()
        begun = []
    yield "".join(begun).strip()


def words(text: str) -> Iterator[str]:
    """The words of a value: quotes of both kinds group, C escapes are undone, unknown ones stay, also in quotes.

    Raises ValueError at an open quote: systemd ignores such an ExecStart=, of an Environment= what follows.
    """
    return _words(text, _C_ESCAPE, relaxed=False)


def split_value(value: str) -> list[str]:
    """The words of the value of a `$NAME`: quotes group, a backslash takes the next character as it is."""
    return list(_words(value, _ANY_ESCAPE, relaxed=True))


def _words(text: str, escape: re.Pattern[str], relaxed: bool) -> Iterator[str]:
    # None between two words.
    word: list[str] | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        escaped = escape.match(text, position - 1) if character == "\\" else None
        if quote and character == quote and not escaped:
            quote = ""
        elif character.isspace() and not quote and not escaped:
            if word is not None:
                yield "".join(word)
            word = None
        else:
            word = [] if word is None else word
            if escaped:
                word.append(_unescaped(escaped))
                position = escaped.end()
            elif not quote and character in "\"'":
                quote = character
            else:
                word.append(character)
    if quote and not relaxed:
        raise ValueError(f"an open quote {quote}")
    if word is not None:
        yield "".join(word)


def _unescaped(match: re.Match[str]) -> str:
    plain, *numbers = match.groups()
    if plain is not None:
        return _PLAIN_ESCAPES.get(plain, plain) if match.re is _C_ESCAPE else plain
    hexadecimal, octal, short, long = numbers
    code = int(octal, 8) if octal else int(hexadecimal or short or long, 16)
    # systemd takes no NUL, half of a surrogate pair or what is beyond Unicode: the escape stays as it stands.
    return chr(code) if 0 < code <= sys.maxunicode and not 0xD800 <= code < 0xE000 else match.group()


def without_specifiers(text: str) -> str:
    """`%%` as the percent sign that it stands for; what other specifiers mean depends on the manager."""
    return text.replace("%%", "%")


def separate_variable(word: str) -> str | None:
    """The name when the word is `$NAME` alone, whose value systemd splits into words, none if it is empty."""
    return word[1:] if word.startswith("$") and _VARIABLE.match(word[1:]) else None


def variables_within(word: str) -> list[str]:
    """The names of `${NAME}` in a word."""
    return [match.group(1) for match in _REFERENCE.finditer(word) if match.group(1) is not None]


def expanded(word: str, values: Mapping[str, str]) -> str:
    """The word with `${NAME}` replaced, by nothing when it is not set, and `$$` as `$`.

    `$NAME` within a longer word stays as it is.
    """
    return _REFERENCE.sub(lambda match: values.get(match.group(1), "") if match.group(1) else "$", word)


_ENV_TOKEN = re.compile(
    r"""(?P<single>'[^']*')|(?P<double>"(?:[^"\\]|\\.)*")|(?P<plain>(?:[^\\\n'"\s]|\\.)(?:[^\\\n]|\\.)*)|(?P<space>[^\S\n]+)""",
    re.DOTALL,
)
_ENV_KEY = re.compile(r"\s*(?:(?P<comment>[#;][^\n]*)|(?P<key>[^=\n]*)(?P<equal>=)|(?P<other>[^\n]*))")


def environment_file(text: str) -> dict[str, str]:
    """The variables of an EnvironmentFile=. Quotes count at the beginning of a value only."""
    found = {}
    position = 0
    while position < len(text):
        head = _ENV_KEY.match(text, position)
        if head is None or head.end() == position:
            position += 1
            continue
        position = head.end()
        if head.group("equal"):
            value, position = _environment_value(text, position)
            key = head.group("key").strip()
            if _VARIABLE.match(key):
                found[key] = value
    return found


def _environment_value(text: str, position: int) -> tuple[str, int]:
    value = ""
    while position < len(text) and text[position] != "\n":
        token = _ENV_TOKEN.match(text, position)
        if token is None:  # an open quote: systemd takes the rest of the file
            return value + text[position + 1 :], len(text)
        position = token.end()
        if token.lastgroup == "single":
            value += token.group()[1:-1]
        elif token.lastgroup == "double":
            value += re.sub(r'\\(?:\n|(["`$\\]))', lambda m: m.group(1) or "", token.group()[1:-1])
        elif token.lastgroup == "plain":
            unescaped = re.sub(
                r"\\(.)", lambda m: "" if m.group(1) == "\n" else m.group(1), token.group(), flags=re.DOTALL
            )
            value += unescaped.rstrip()
    return value, position
