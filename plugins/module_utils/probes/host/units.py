# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd knows of its units, by one call of `systemctl show`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable

TIME_LIMIT = 20
BOOTED = Path("/run/systemd/system")
# Not `docker*`: under the systemd cgroup driver every container is a `docker-<id>.scope`.
PATTERNS = ("docker*.service", "containerd*.service", "*.socket")
# A pattern matches only what systemd has loaded; a name is loaded for the asking.
ALWAYS = ("docker.service", "docker.socket", "containerd.service")

_ARGV, _AFTER_ARGV = "argv[]=", (" ; ignore_errors=", " ; flags=")
_LISTEN = re.compile(r"(.*) \((\w+)\)$")
_OPTION = re.compile(r" \(ignore_errors=\w+\)$")


def units(names: Iterable[str]) -> dict[str, Any]:
    """The units matching PATTERNS, those of ALWAYS and those of `names`, keyed by name.

    A host that systemd did not boot has none: `{}`. Raises Unreadable when systemctl fails or hangs.
    """
    if not BOOTED.is_dir():
        return {}
    return parse(_show([*PATTERNS, *sorted({*ALWAYS, *names})]))


def _show(names: list[str]) -> str:
    options = ("--no-pager", f"--property={','.join(_PROPERTIES)}", "--")
    done = limits.run(["systemctl", "show", *options, *names], TIME_LIMIT)
    # systemctl fails for a unit whose file is broken, and still shows the others.
    if not done.out.strip():
        reason = done.err.strip().partition("\n")[0] or f"no output, exit code {done.status}"
        raise Unreadable(f"systemctl show: {reason}")
    return done.out


def parse(text: str) -> dict[str, Any]:
    """The units in the output of `systemctl show`, keyed by name."""
    shown = {properties["Id"][0]: properties for properties in _blocks(text)}
    return {name: _unit(shown[name]) for name in sorted(shown)}


def _blocks(text: str) -> Iterator[dict[str, list[str]]]:
    """One mapping per unit: property -> its values, as some are shown once per value.

    A blank line ends a unit only when its Id was seen: a command, shown before, may hold such lines.
    """
    properties: dict[str, list[str]] = {}
    for line in [*text.splitlines(), ""]:
        name, separator, value = line.partition("=")
        if separator and name in _SHOWN:
            properties.setdefault(name, []).append(value)
        elif not line and "Id" in properties:
            yield properties
            properties = {}


def _unit(properties: dict[str, list[str]]) -> dict[str, Any]:
    unit = {key: read(properties.get(source, [])) for key, source, read in _FIELDS}
    # systemd before 240 shows ListenStream=ADDRESS instead of Listen=ADDRESS (Stream).
    unit["listens"] += [
        {"type": source[len("Listen") :], "address": value}
        for source in _OLD_LISTEN
        for value in properties.get(source, [])
    ]
    unit["started"] = _time(properties, "ExecMainStartTimestamp") or _time(properties, "ActiveEnterTimestamp")
    if unit["active"] not in ("active", "activating", "reloading", "deactivating"):
        unit["started"] = None
    # What other services are started with is none of our business, and may hold secrets.
    if not _runs(unit["exec_start"], ("dockerd", "docker.dockerd", "containerd")):
        unit["exec_start"] = None
    return unit


def is_dockerd(words: list[str] | None) -> bool:
    """Whether a unit with this ExecStart runs a dockerd (`snap run docker.dockerd` does too)."""
    return _runs(words, ("dockerd", "docker.dockerd"))


def _runs(words: list[str] | None, programs: tuple[str, ...]) -> bool:
    return any(word.rpartition("/")[2] in programs for word in (words or [])[:3])


def _time(properties: dict[str, list[str]], name: str) -> int | None:
    """The epoch of an event, which systemd shows in microseconds of the monotonic clock; 0: not happened."""
    microseconds = int(_first(properties.get(f"{name}Monotonic", [])) or 0)
    return round(time.time() - time.monotonic() + microseconds / 1e6) if microseconds else None


def _first(values: list[str]) -> str:
    return values[0] if values else ""


def _text_or_null(values: list[str]) -> str | None:
    return _first(values) or None


def _message(values: list[str]) -> str | None:
    """Of a D-Bus error, `org.freedesktop.systemd1.UnitMasked "Unit x is masked."`, the message."""
    return _first(values).partition(" ")[2].strip('"') or None


def _yes(values: list[str]) -> bool:
    return _first(values) == "yes"


def _words(values: list[str]) -> list[str]:
    return sorted(_first(values).split())


def _in_order(values: list[str]) -> list[str]:
    return _first(values).split()


def _number(values: list[str]) -> int | None:
    return int(_first(values) or 0) or None


def _files(values: list[str]) -> list[str]:
    return [_OPTION.sub("", value) for value in values]


def listens(values: Iterable[str]) -> list[dict[str, str]]:
    """The sockets of `Listen=ADDRESS (Stream)`, as systemctl shows them: {type, address} each."""
    found = (_LISTEN.match(value) for value in values)
    return [{"type": match.group(2), "address": match.group(1)} for match in found if match]


def _exec_start(values: list[str]) -> list[str] | None:
    """The words of the last command as the unit has them, `$VARIABLES` unexpanded."""
    _unused, found, rest = values[-1].partition(_ARGV) if values else ("", "", "")
    end = max(map(rest.rfind, _AFTER_ARGV))
    return redact.words(rest[:end].split()) if found and end >= 0 else None


_FIELDS: tuple[tuple[str, str, Callable[[list[str]], Any]], ...] = (
    ("load", "LoadState", _first),
    ("load_error", "LoadError", _message),
    ("active", "ActiveState", _first),
    ("sub", "SubState", _first),
    ("result", "Result", _text_or_null),
    ("enabled", "UnitFileState", _first),
    ("fragment", "FragmentPath", _text_or_null),
    ("drop_ins", "DropInPaths", _in_order),
    ("environment_files", "EnvironmentFiles", _files),
    ("exec_start", "ExecStart", _exec_start),
    ("main_pid", "MainPID", _number),
    ("triggered_by", "TriggeredBy", _words),
    ("triggers", "Triggers", _words),
    ("listens", "Listen", listens),
    ("ip_address_deny", "IPAddressDeny", _in_order),
    ("needs_reload", "NeedDaemonReload", _yes),
)
_TIMES = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
_PROPERTIES = ("Id", *_TIMES, *(field[1] for field in _FIELDS))
_OLD_LISTEN = ("ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO", "ListenNetlink")
_SHOWN = frozenset((*_PROPERTIES, *_OLD_LISTEN))
