# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of foreign text may enter a snapshot: names, programs and options, never a credential."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.text import CUT, beginning

REDACTED = "(redacted)"

_CREDENTIAL_NAME = re.compile(
    r"pass(?:w|phrase|$|(?==))|pwd|secret|token|credential"
    r"|(?:access|account|api|auth|encryption|private|sas|shared|signing)[-_.]?key|^auths?$",
    re.IGNORECASE,
)
# Every run of these characters is a match, so that none is looked at twice.
_NAME = re.compile(r"([\w.-]+)(=?)")
# What may end a value such as the options of a CIFS volume, where a doubled comma stands for one.
_MAY_END = re.compile(r",+|\s")
_BLANKS = re.compile(r"(\s+)")
_END_OF_AUTHORITY = re.compile(r"[/?#]|$")
# A password that holds a slash, which no standard allows and people write; a port is none.
_USER_AND_PASSWORD = re.compile(r"[^/?#\s:@]+:(?!\d*(?:[/?#]|$))")
# Without a scheme, as in insecure-registries; not `image:tag@sha256:...`.
_BARE_USER = re.compile(r"([^=,]*=)?[^/?#:@=,]+:(?:[^/]*|(?!\d*[/?#])\S*)@(?!sha\d+:)")
# Where a credential may begin in a word whose end was not seen.
_MAY_BEGIN = re.compile("[:=@]")
_QUERY_VALUE = re.compile(r"([?&][^=?&#\s]*)=[^&#\s]+")
# Of one word, and of all words of a command line.
_LONGEST_WORD, _LONGEST_LINE = 4096, 32_768
_LONGEST_NAME = 256

_KEPT_VARIABLES = {
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_TLS_CERTDIR",
    "DOCKER_CONTENT_TRUST",
    "ETCD_CLIENT_CERT_AUTH",
    "ETCD_PEER_CLIENT_CERT_AUTH",
}
_KEPT_LABELS = {
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.stack.namespace",
    "com.docker.swarm.service.name",
    "io.kubernetes.container.name",
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.namespace",
    "env",
    "environment",
    "stage",
    "tier",
}
_KEPT_LABEL_PREFIX = "bulwark."
# Labels that hold a whole `docker run` command; of it only the options that give or take privileges are kept.
_COMMAND_LABELS = {"run", "install", "uninstall"}
_PRIVILEGE_OPTION = re.compile(
    r"--(?:privileged|(?:cap-add|cap-drop|security-opt|pid|ipc|uts|userns|net|network|device)[= ][\w:./-]+)"
)


def url(text: str) -> str:
    """The text without user information and without the values of query parameters in its URLs."""
    if "://" not in text:
        return text
    words = (_without_users(word) if "://" in word else word for word in _BLANKS.split(text))
    return _QUERY_VALUE.sub(rf"\1={REDACTED}", "".join(words))


def _without_users(word: str) -> str:
    """A word without what stands before the `@` of its URLs."""
    kept: list[str] = []
    last, start = word.rfind("@"), 0
    while True:
        scheme = word.find("://", start)
        begin = scheme + len("://")
        if scheme < 0 or last < begin:
            return "".join((*kept, word[start:]))
        kept.append(word[start:begin])
        ends = _END_OF_AUTHORITY.search(word, begin)
        sign = word.rfind("@", begin, ends.start() if ends else len(word))
        if sign < 0 and _USER_AND_PASSWORD.match(word, begin):
            sign = last
        start = max(begin, sign + 1)


def _without_pairs(text: str) -> str:
    text = url(text)
    return _without_values(text) if "=" in text else text


def _without_values(text: str) -> str:
    """`name=value` without the value, where the name is that of a credential."""
    kept: list[str] = []
    copied = at = 0
    while True:
        name = _NAME.search(text, at)
        if name is None:
            return "".join((*kept, text[copied:]))
        at = name.end()
        end = _end_of_value(text, at) if name[2] and _is_credential(name[1]) else at
        if end > at:
            kept += [text[copied:at], REDACTED]
            copied = at = end


def _end_of_value(text: str, begin: int) -> int:
    for found in _MAY_END.finditer(text, begin):
        if found[0].isspace():
            return found.start()
        if len(found[0]) % 2:
            return found.end() - 1
    return len(text)


def _without_bare_users(text: str) -> str:
    """`u:p@host` in the place of an address, on its own or as the value of an option."""
    found = _BARE_USER.match(text) if "@" in text and "://" not in text else None
    return text if found is None else (found[1] or "") + text[found.end() :]


def _without_credentials(text: str) -> str:
    return _without_bare_users(_without_pairs(text))


def _is_credential(name: str) -> bool:
    return _CREDENTIAL_NAME.search(name) is not None


def options(value: Any, name: str = "", secret: bool = False) -> Any:
    """A copy of JSON-able settings without credentials, known by their names; URLs go through `url`.

    What lies below the name of a credential is one, whatever its own name is.
    """
    secret = secret or _is_credential(name)
    if isinstance(value, Mapping):
        return {_without_pairs(str(key)): options(entry, str(key), secret) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        # Such as the arguments of a runtime.
        if not secret and all(isinstance(entry, str) for entry in value):
            return list(_words(value))
        return [options(entry, name, secret) for entry in value]
    if isinstance(value, str) and value:
        return REDACTED if secret else _without_credentials(value)
    return value


def secrets(value: Any, name: str = "", secret: bool = False) -> set[str]:
    """The texts of such settings that hold a credential, whole."""
    secret = secret or _is_credential(name)
    if isinstance(value, Mapping):
        return {found for key, entry in value.items() for found in secrets(entry, str(key), secret)}
    if isinstance(value, (list, tuple)):
        kept = options(value, name, secret)
        own = {each for each, left in zip(value, kept) if isinstance(each, str) and each != left}
        return own.union(*(secrets(entry, name, secret) for entry in value if not isinstance(entry, str)))
    return {value} if isinstance(value, str) and options(value, name, secret) != value else set()


def words(argv: Sequence[str]) -> list[str]:
    """A command line whose credentials are replaced, as `--name=value`, `--name value` or `name=value`.

    Long words are cut, and so is a long line: anybody may run a process by the name of an engine.
    """
    kept: list[str] = []
    left = _LONGEST_LINE
    for word, redacted in zip(argv, _words(argv)):
        if left <= 0:
            return [*kept, CUT]
        left -= len(word) + 1
        # Only now: of a URL that is cut before its @, nobody could tell the password.
        kept.append(beginning(redacted, _LONGEST_WORD))
    return kept


def _words(argv: Iterable[str]) -> Iterator[str]:
    awaited = False
    for word in argv:
        if awaited and not word.startswith("-"):
            yield REDACTED if word else word
            awaited = False
            continue
        yield _without_credentials(word)
        awaited = word.startswith("-") and "=" not in word and _is_credential(word)


def cut(text: str, most: int) -> str:
    """The beginning of a text that is too long; of its last word only what stands before a possible credential."""
    if len(text) <= most:
        return text
    last = len(text[:most].rsplit(None, 1)[-1]) if text[:most].strip() else 0
    begins = _MAY_BEGIN.search(text, most - last, most)
    return text[: begins.start() if begins else most] + CUT


def environment(variables: Iterable[str] | None) -> tuple[list[str], dict[str, str]]:
    """(names of all variables, name and value of the few that a control reads) of a list of NAME=value."""
    pairs = [variable.partition("=") for variable in variables or ()]
    kept = {name: url(value) for name, _unused, value in pairs if name in _KEPT_VARIABLES}
    return sorted({name[:_LONGEST_NAME] for name, _unused, _unused in pairs}), kept


def labels(given: Mapping[str, str] | None) -> tuple[list[str], dict[str, str]]:
    """(names of all labels, name and value of those that a control reads)."""
    kept = {}
    for name, value in (given or {}).items():
        if name in _KEPT_LABELS or name.startswith(_KEPT_LABEL_PREFIX):
            kept[name] = url(value)
        elif name.lower() in _COMMAND_LABELS:
            kept[name] = " ".join(_PRIVILEGE_OPTION.findall(value))
    return sorted({name[:_LONGEST_NAME] for name in given or ()}), kept
