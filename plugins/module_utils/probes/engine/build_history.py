# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build steps of an image, without the values that a step was given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.redact import url

Step = dict[str, Any]

# A here-document may be longer; programs stand before it.
_LIMIT = 64 * 1024
_INSTRUCTIONS = (
    "ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME"
    "|WORKDIR"
)
# The classic builder writes "/bin/sh -c #(nop)  ENV A=b", BuildKit "ENV A=b # buildkit".
_NAMED = re.compile(rf"(?:/bin/sh -c #\(nop\) +)?({_INSTRUCTIONS})(?: +(.*))?", re.DOTALL)
# "|2 A=b C=d /bin/sh -c make": what a RUN step got of ARG stands before its shell.
_ARGUMENTS = re.compile(r"\|\d{1,6} ")
_WORD = re.compile(r"\S+")
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
_SHELL = re.compile(r"(?:/\S+/)?(?:ba|da|a|z|k)?sh (?:-\w+ )*?(?:-o \w+ |\w+ )?-\w*c ")
# Not "abc==" or "abc= ": that is the end of a Base64 value.
_NAME = re.compile(r"(?:^|\s)([A-Za-z_][\w.-]*)=(?![=\s]|$)")

_TOKEN = re.compile(
    r"""(?P<assignment>(?<![^\s;&|({])[A-Za-z_]\w*\+?=(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s;&|()'"\\])*)"""
    r"""|(?P<quoted>'[^']*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<operator>&&|\|\||[;|&()\n])"""
    r"""|(?P<word>(?:[^\s'"\\;|&()]|\\\S)+)"""
    r"""|(?P<unbalanced>['"])""",
    re.DOTALL,
)
# Words of the shell that are no programs, and programs that run the one after them.
_PREFIXES = {
    "!", "{", "}", "do", "done", "elif", "else", "env", "esac", "exec", "fi", "if", "nice", "nohup", "then",
    "time", "until", "while",
}  # fmt: skip
_SHOWN_PREFIXES = {"doas", "gosu", "sudo"}
# Their first word that is no option is a sub-command; of other programs it may be anything.
_WITH_SUBCOMMANDS = {
    "apk", "apt", "apt-get", "aptitude", "cargo", "conda", "dnf", "gem", "git", "go", "microdnf", "npm",
    "pacman", "pip", "pip3", "rpm", "tdnf", "yarn", "yum", "zypper",
}  # fmt: skip
_PROGRAM = re.compile(r"(?:[\w.+@-]*/)*([\w.+-]{1,64}|\[)")
_OPTION = re.compile(r"(--[A-Za-z][\w-]*|-[A-Za-z]$)")
_SUBCOMMAND = re.compile(r"[a-z][a-z-]{1,20}")


def steps(history: Sequence[Mapping[str, Any]]) -> list[Step]:
    """[{instruction, words, names}] of an answer of GET /images/ID/history, the oldest step first."""
    return [step(layer.get("CreatedBy") or "") for layer in reversed(history)]


def step(created_by: str) -> Step:
    """One step: {instruction, words, names}; an imported layer has the instruction "".

    words  of RUN: programs, sub-commands and names of options; of ADD, COPY, USER and WORKDIR: what they were
           given, without credentials; of other instructions nothing
    names  of ARG, ENV and LABEL, and of the ARG variables that a RUN step got
    """
    text = created_by[:_LIMIT].strip()
    named = _NAMED.fullmatch(text)
    instruction, rest = named.groups("") if named else ("RUN" if text else "", text)
    rest = rest.rpartition(" # buildkit")[0] or rest
    names: list[str] = []
    words: list[str] = []
    if instruction == "RUN":
        arguments = _ARGUMENTS.match(rest)
        begin = _shell(rest, arguments.end()) if arguments else None
        if arguments and begin is not None:
            names = _NAME.findall(rest[arguments.end() : begin])
            rest = rest[begin:]
        shell = _SHELL.match(rest)
        words = _commands(rest[shell.end() :] if shell else rest)
    elif instruction in ("ADD", "COPY", "USER", "WORKDIR"):
        words = [url(word) for word in rest.split() if not word.startswith("--")]
    elif instruction in ("ARG", "ENV", "LABEL"):
        names = [rest] if instruction == "ARG" and rest.isidentifier() else _NAME.findall(rest)
    return {"instruction": instruction, "words": words, "names": sorted(set(names))}


def _shell(text: str, start: int) -> int | None:
    """Where the shell stands that runs the step."""
    for word in _WORD.finditer(text, start):
        path, _unused, name = word.group().rpartition("/")
        if name in _SHELLS and (not path or path.startswith("/")) and text.startswith(" ", word.end()):
            return word.start()
    return None


def _commands(script: str) -> list[str]:
    """The programs of a shell script in order, each with its sub-command and the names of its options."""
    found: list[str] = []
    program_next, subcommand_next = True, False
    for token in _TOKEN.finditer(script.replace("\\\n", " ")):
        text = token.group()
        # What follows is the content of a here-document, or of a quotation that never ends.
        if token.lastgroup == "unbalanced" or (token.lastgroup == "word" and "<<" in text):
            break
        if token.lastgroup == "operator":
            program_next, subcommand_next = True, False
        elif token.lastgroup == "quoted":
            program_next = False
        elif token.lastgroup == "word":
            if program_next and text in _PREFIXES:
                continue
            if program_next:
                program = _PROGRAM.fullmatch(text)
                found += program.groups() if program else ()
                program_next = text in _SHOWN_PREFIXES
                subcommand_next = program is not None and program.group(1) in _WITH_SUBCOMMANDS
            elif text.startswith("-"):
                found += _OPTION.findall(text)[:1]
            elif subcommand_next and _SUBCOMMAND.fullmatch(text):
                found.append(text)
                subcommand_next = False
    return found
