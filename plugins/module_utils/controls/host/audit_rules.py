# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of the kernel's audit rules: which files of the engine are watched by rules in force."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.engine_places import (
    data_root,
    program,
    system_engine,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured_value,
)

# Fields that choose what is watched; every other field leaves out some of the accesses.
_CHOOSING_FIELDS = ("path", "dir", "perm", "key", "arch")
_FIELD = re.compile(r"(\w+)=(.*)", re.DOTALL)


class Rule(NamedTuple):
    """One audit rule: `action` always or never, on `list` exit or task, for a path alone or all below it."""

    text: str
    action: str
    list: str
    path: str | None
    recursive: bool
    permissions: frozenset[str]
    limits: tuple[str, ...]

    def concerns(self, spellings: Iterable[str]) -> bool:
        """Whether the rule is about the file; a rule without a path is about every file."""
        if self.path is None:
            return True
        below = self.path.rstrip("/") + "/"
        return any(path == self.path or (self.recursive and path.startswith(below)) for path in spellings)


def parse_rule(line: str) -> Rule | None:
    """The rule of a line as auditctl reads and prints it; None for options of auditd and broken lines."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None
    action, on_list, fields, limits = "", "", {}, []
    for option, value in zip(words[::2], words[1::2]):
        field = _FIELD.fullmatch(value)
        if option == "-w":
            action, on_list, fields["dir"] = "always", "exit", value
        elif option in ("-a", "-A"):
            # auditctl takes both orders.
            action = "never" if "never" in value.split(",") else "always"
            on_list = value.replace(action, "").strip(",")
        elif option == "-p":
            fields["perm"] = value
        elif option == "-F" and field and field[1] in _CHOOSING_FIELDS:
            fields[field[1]] = field[2]
        elif option in ("-F", "-C") or (option == "-S" and value != "all"):
            limits.append(f"{option} {value}")
    if not action:
        return None
    path = fields.get("dir") or fields.get("path")
    return Rule(
        text=line.strip(),
        action=action,
        list=on_list,
        path=posixpath.normpath(path) if path else None,
        recursive="dir" in fields,
        permissions=frozenset(fields.get("perm", "rwxa")),
        limits=tuple(limits),
    )


def missing(
    rules: Sequence[Rule], spellings: Sequence[str], wanted: frozenset[str]
) -> tuple[frozenset[str], str]:
    """Which of the wanted kinds of access no rule records, and the rule that explains it best.

    The kernel takes the first rule that matches an access, so a `never` suppresses only what comes after it.
    """
    suppressed: frozenset[str] = frozenset()
    left, reason = wanted, ""
    for rule in rules:
        if rule.list != "exit" or not rule.concerns(spellings):
            continue
        if rule.limits:
            reason = reason if rule.path is None else f"limited: {rule.text}"
        elif rule.action == "never":
            suppressed |= rule.permissions
            reason = f"suppressed by: {rule.text}"
        else:
            left -= rule.permissions - suppressed
            reason = reason or f"only: {rule.text}"
    return left, reason


def _rules(lines: Iterable[str]) -> list[Rule]:
    return [rule for rule in map(parse_rule, lines) if rule]


def _refuse_container(case: Case) -> None:
    if case.host("host", "container"):
        raise NotApplicable("the audit system belongs to the machine that runs this container")


def _switched_off(case: Case) -> str | None:
    """Why no rule has any effect, or None."""
    if case.host("audit", "enabled") is None:
        raise Unread("whether the audit system is enabled could not be read")
    if case.host("audit", "enabled") == 0:
        return "auditing is switched off (enabled 0)"
    for rule in _rules(case.host("audit", "loaded")):
        if rule.list == "task" and rule.action == "never" and not rule.limits:
            return f"suppressed by: {rule.text}"
    return None


@scope("host", per_engine=False, over=on_host)(
    "host.audit_system",
    "The kernel's audit system is there and switched on",
    "medium",
    Remedy("live", "Install and enable auditd; no `-e 0` and no `-a never,task` in /etc/audit/rules.d."),
    cis=tuple(f"1.1.{number}" for number in range(3, 19)),
    level=1,
    # An ordinary host has no auditd; those that must have one choose a CIS profile.
    baseline=False,
)
def audit_system(_snapshot: Mapping[str, Any], case: Case) -> Deviation | None:
    """Without it nobody can tell who changed a unit, a key or the engine itself.

    The rule `-a never,task`, which Fedora ships for speed, switches off every watch that is listed as loaded.
    """
    _refuse_container(case)
    if case.host("audit") is None:
        return Deviation("no audit system", "auditd with rules")
    reason = _switched_off(case)
    return Deviation(reason, "auditing switched on", "auditctl -s, auditctl -l") if reason else None


def _spellings(case: Case, path: str) -> list[str]:
    """The file itself, behind a link, and its other paths through linked directories (/bin, /var/run).

    A watch on a symbolic link watches the link alone.
    """
    fact = read(case.host("files"), path)
    if fact is None:
        raise NotApplicable(f"there is no {path}")
    return [fact["target"] or path] + [
        other
        for other, found in case.host("files").items()
        if found and all(found.get(key) == fact[key] for key in ("device", "inode")) and not found["target"]
    ]


def _judge(path: str, case: Case) -> Deviation | None:
    spellings = _spellings(case, path)
    wanted = frozenset(case.parameters["permissions"])
    rule = f"-w {spellings[0]} -p {case.parameters['permissions']} -k docker"
    off = _switched_off(case)
    if off:
        return Deviation(off, rule, "auditctl -s, auditctl -l")
    left, reason = missing(_rules(case.host("audit", "loaded")), spellings, wanted)
    if not left:
        return None
    if not reason:
        reason = _on_disk(case, spellings, wanted) or "no rule"
    return Deviation(reason, rule, "auditctl -l")


def _on_disk(case: Case, spellings: Sequence[str], wanted: frozenset[str]) -> str | None:
    for path, lines in sorted((case.host("audit").get("files") or {}).items()):
        if isinstance(lines, list) and not missing(_rules(lines), spellings, wanted)[0]:
            return f"only on disk ({path}), not loaded"
    return None


def _unit(name: str) -> Callable[[Case], str | None]:
    return lambda case: unit(case, name).get("fragment")


def _program(name: str) -> Callable[[Case], str | None]:
    return lambda case: program(case, name)


def _dockerd(case: Case) -> str | None:
    return (read(system_engine(case), "binary") or {}).get("path") or program(case, "dockerd")


def _fixed(path: str) -> Callable[[Case], str | None]:
    return lambda case: path


def _control_of(row: tuple[Any, ...]) -> Control:
    control_id, what, cis, cis_1_8_0, level, select = row

    def over(case: Case) -> Iterable[Item]:
        system_engine(case)
        _refuse_container(case)
        if case.host("audit") is None:
            raise NotApplicable("no audit system: see host.audit_system")
        path = select(case)
        if not path:
            raise NotApplicable(f"{what} is not on this host")
        return (Item("file", path, path, path),)

    control: Control = scope("audit_rules", per_engine=False, over=over)(
        f"audit.{control_id}",
        f"An audit rule in force watches {what}",
        "low",
        Remedy(
            "live",
            "Write the rule shown to /etc/audit/rules.d/docker.rules, run augenrules --load (after `-e 2` it"
            " takes a reboot). Costs log volume where the path is busy.",
            "daemon_config",
            {"daemon_config_audit_rules": True},
        ),
        cis=cis,
        cis_1_8_0=cis_1_8_0,
        level=level,
        parameters={"permissions": "wa"},
    )(_judged(what))
    return control


def _judged(what: str) -> Callable[[str, Case], Deviation | None]:
    def judge(path: str, case: Case) -> Deviation | None:
        return _judge(path, case)

    judge.__doc__ = (
        f"A change of {what} can give root or hide traces. What counts is a loaded rule for the exact path or"
        " a directory above it, without further conditions and not after a `never` rule for the same."
    )
    return judge


# id, what is watched, CIS 1.6.0, CIS 1.8.0 where it differs, level, which path
_TABLE: tuple[tuple[Any, ...], ...] = (
    ("dockerd", "the program dockerd", ("1.1.3",), None, 1, _dockerd),
    ("containerd_runtime_directory", "/run/containerd", ("1.1.4",), None, 1, _fixed("/run/containerd")),
    ("data_root", "the data root", ("1.1.5",), None, 1, lambda case: data_root(system_engine(case))),
    ("config_directory", "/etc/docker", ("1.1.6",), None, 1, _fixed("/etc/docker")),
    ("docker_service_unit", "the unit file of docker.service", ("1.1.7",), None, 2, _unit("docker.service")),
    ("containerd_socket", "the socket of containerd", ("1.1.8",), None, 2,
     lambda case: configured_value(system_engine(case), "containerd") or "/run/containerd/containerd.sock"),
    ("docker_socket_unit", "the unit file of docker.socket", ("1.1.9",), (), 2, _unit("docker.socket")),
    # CIS 1.7.0 put the socket in the place of its unit.
    ("engine_socket", "the engine's socket", (), ("1.1.9",), 2, lambda case: system_engine(case)["socket"]),
    ("default_docker", "/etc/default/docker", ("1.1.10",), None, 2, _fixed("/etc/default/docker")),
    ("engine_configuration", "the engine's configuration file", ("1.1.11",), None, 2,
     lambda case: read(system_engine(case), "config", "path")),
    ("containerd_configuration", "/etc/containerd/config.toml", ("1.1.12",), None, 2,
     _fixed("/etc/containerd/config.toml")),
    ("sysconfig_docker", "/etc/sysconfig/docker", ("1.1.13",), None, 2, _fixed("/etc/sysconfig/docker")),
    ("containerd", "the program containerd", ("1.1.14",), None, 2, _program("containerd")),
    ("containerd_shim", "the program containerd-shim", ("1.1.15",), None, 2, _program("containerd-shim")),
    ("containerd_shim_runc_v1", "the program containerd-shim-runc-v1", ("1.1.16",), None, 2,
     _program("containerd-shim-runc-v1")),
    ("containerd_shim_runc_v2", "the program containerd-shim-runc-v2", ("1.1.17",), None, 2,
     _program("containerd-shim-runc-v2")),
    ("runc", "the program runc", ("1.1.18",), None, 2, _program("runc")),
)  # fmt: skip

AUDIT_RULES = tuple(map(_control_of, _TABLE))
