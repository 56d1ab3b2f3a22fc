# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of a dockerd command line, read as dockerd's own parser (pflag) reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.go import FALSE, TRUE

SHORT = {
    "b": "bridge",
    "D": "debug",
    "G": "group",
    "g": "data-root",
    "h": "help",
    "H": "host",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
    "v": "version",
}
# The same flag under its former name (until 22.06).
RENAMED = {"graph": "data-root"}
# Those that take no following word: `--icc false` would be the flag icc and a stray argument.
BOOLEAN = frozenset(
    [
        "allow-direct-routing",
        "cri-containerd",
        "debug",
        "disable-legacy-registry",
        "experimental",
        "help",
        "icc",
        "init",
        "ip-forward",
        "ip-forward-no-drop",
        "ip-masq",
        "ip6tables",
        "iptables",
        "ipv6",
        "live-restore",
        "no-new-privileges",
        "raw-logs",
        "rootless",
        "selinux-enabled",
        "tls",
        "tlsverify",
        "userland-proxy",
        "validate",
        "version",
    ]
)
_BOOLEANS = {
    **dict.fromkeys(TRUE, "true"),
    **dict.fromkeys(FALSE, "false"),
}


def parse(words: Sequence[str]) -> dict[str, list[str]]:
    """The flags among the words that follow the program: long name -> its values, in order."""
    flags: dict[str, list[str]] = {}
    for name, value in _read(iter(words)):
        name = RENAMED.get(name, name)
        flags.setdefault(name, []).append(_BOOLEANS.get(value, value) if name in BOOLEAN else value)
    return flags


def _read(words: Iterator[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word == "--":
            return
        if word.startswith("--"):
            name, assigned, value = word[2:].partition("=")
            yield name, value if assigned else _value(name, words)
        elif word.startswith("-") and word != "-":
            yield from _short(word[1:], words)


def _short(letters: str, words: Iterator[str]) -> Iterator[tuple[str, str]]:
    """`-DH fd://`, `-Hfd://` and `-H=fd://`: booleans, then one that takes the rest or the next word."""
    while letters:
        name, letters = SHORT.get(letters[0], letters[0]), letters[1:]
        if letters.startswith("="):
            yield name, letters[1:]
            return
        if name in BOOLEAN:
            yield name, "true"
        else:
            yield name, letters or _value(name, words)
            return


def _value(name: str, words: Iterator[str]) -> str:
    return "true" if name in BOOLEAN else next(words, "")
