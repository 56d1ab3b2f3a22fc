# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of foreign text may enter a snapshot: names, programs and options, never a credential."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REDACTED = "(redacted)"

_CREDENTIAL = (
    r"(?:pass(?:w|phrase|$|(?==))|pwd|secret|token|credential"
    r"|(?:access|account|api|auth|encryption|private|sas|shared|signing)[-_.]?key)"
)
_CREDENTIAL_NAME = re.compile(_CREDENTIAL, re.IGNORECASE)
# `password=x` inside a value such as the options of a CIFS volume, where a doubled comma stands for one.
_CREDENTIAL_PAIR = re.compile(rf"([\w.-]*{_CREDENTIAL}[\w.-]*)=(?:[^,\s]|,,)+", re.IGNORECASE)
# The second form: a password that holds a slash, which no standard allows and people write.
_USER_INFORMATION = re.compile(r"(?<=://)(?:[^/?#\s]*@|[^/?#\s:@]+:(?!\d*(?:[/?#]|$))\S*@)")
_QUERY_VALUE = re.compile(r"([?&][^=&#\s]*)=[^&#\s]+")

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
    return _QUERY_VALUE.sub(rf"\1={REDACTED}", _USER_INFORMATION.sub("", text))


def _without_pairs(text: str) -> str:
    return _CREDENTIAL_PAIR.sub(rf"\1={REDACTED}", url(text)) if "=" in text else url(text)


def options(value: Any, name: str = "") -> Any:
    """A copy of JSON-able settings without credentials, known by their names; URLs go through `url`."""
    if isinstance(value, Mapping):
        return {str(key): options(entry, str(key)) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [options(entry, name) for entry in value]
    if isinstance(value, str) and value:
        return REDACTED if _CREDENTIAL_NAME.search(name) else _without_pairs(value)
    return value


def secrets(value: Any, name: str = "") -> set[str]:
    """The texts of such settings that hold a credential, whole."""
    if isinstance(value, Mapping):
        return {found for key, entry in value.items() for found in secrets(entry, str(key))}
    if isinstance(value, (list, tuple)):
        return {found for entry in value for found in secrets(entry, name)}
    return {value} if isinstance(value, str) and options(value, name) != value else set()


def words(argv: Sequence[str]) -> list[str]:
    """A command line whose credentials are replaced, as `--name=value`, `--name value` or `name=value`."""
    kept = []
    awaited = False
    for word in argv:
        if awaited and not word.startswith("-"):
            kept.append(REDACTED)
            awaited = False
            continue
        kept.append(_without_pairs(word))
        awaited = word.startswith("-") and "=" not in word and bool(_CREDENTIAL_NAME.search(word))
    return kept


def environment(variables: Iterable[str] | None) -> tuple[list[str], dict[str, str]]:
    """(names of all variables, name and value of the few that a control reads) of a list of NAME=value."""
    pairs = [variable.partition("=") for variable in variables or ()]
    kept = {name: url(value) for name, _unused, value in pairs if name in _KEPT_VARIABLES}
    return sorted({name for name, _unused, _unused in pairs}), kept


def labels(given: Mapping[str, str] | None) -> tuple[list[str], dict[str, str]]:
    """(names of all labels, name and value of those that a control reads)."""
    kept = {}
    for name, value in (given or {}).items():
        if name in _KEPT_LABELS or name.startswith(_KEPT_LABEL_PREFIX):
            kept[name] = url(value)
        elif name.lower() in _COMMAND_LABELS:
            kept[name] = " ".join(_PRIVILEGE_OPTION.findall(value))
    return sorted(given or ()), kept
