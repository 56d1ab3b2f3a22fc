# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of an engine as a whole: whether it answers, its configuration file, what it can enforce."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    UNKNOWN,
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.containers import (
    containers,
    security_option,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.daemon_options import (
    ignored_keys,
    refused_keys,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import engine_version
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    drifts,
    edited_since_start,
    effective,
    security_options,
)

Engine = Mapping[str, Any]

# Problems of a configuration file that younger daemons take (refused by 20.10.24, accepted by 26.1.5).
_ACCEPTED_SINCE = {"bom": 26, "empty": 26}


def _daemons(case: Case) -> Iterable[Item]:
    """Processes of the host that run the program dockerd, whatever they are called."""
    for process in case.host("engine_processes"):
        if process["container"] is None and (process["exe"] or "/dockerd").endswith("/dockerd"):
            yield Item("process", str(process["pid"]), process["name"], process)


control = scope("daemon", per_engine=True, over=on_engine)
host_control = scope("daemon", per_engine=False, over=_daemons)


@control(
    "daemon.answers",
    "The engine answers its clients",
    "high",
    Remedy(
        "restart", "Look into the engine's journal, then reset-failed and restart its unit and its socket."
    ),
)
def answers(engine: Engine, case: Case) -> Deviation | None:
    """An engine that hangs or has failed can be neither steered nor audited while its containers go on."""
    if engine["state"] == "unresponsive":
        return Deviation("accepts and does not answer", "answers", engine["error"])
    if engine["state"] == "unreachable":
        raise Unread(engine["error"])
    if engine["state"] == "stopped":
        if not case.rootless and unit(case, engine["unit"]).get("active") == "failed":
            return Deviation("failed", "answers", engine["unit"])
        raise NotApplicable("the engine is stopped")
    return None


@control(
    "daemon.configuration_file",
    "The daemon's configuration file is sound",
    "high",
    Remedy(
        "manual",
        "Correct the file at the place named, and check it with dockerd --validate before a restart.",
    ),
)
def configuration_file(engine: Engine, case: Case) -> Iterator[Deviation]:
    """A broken file is not noticed until the next start, which then fails: the running daemon goes on, a
    reload reports success. Of a key given twice the last one counts; a key named like its flag is ignored
    without a word (seen on 20.10.24 and 28.5.2)."""
    config = read(engine, "config")
    if not config["exists"]:
        return
    major = _major(engine)
    for problem in config["problems"]:
        if major is None or major < _ACCEPTED_SINCE.get(problem["kind"], major + 1):
            place = f"{config['path']}:{problem['line']}:{problem['column']}"
            yield Deviation(problem["message"], "strict JSON", place)
    keys = read(config, "settings") or {}
    for key in refused_keys(keys, major):
        yield Deviation(
            f"unknown key {key}", "a key of this engine", f"{config['path']}: {_effect_of_refusal(engine)}"
        )
    for key, meant in ignored_keys(keys).items():
        yield Deviation(f"ignored key {key}", meant, config["path"])


def _major(engine: Engine) -> int | None:
    try:
        return engine_version(engine)[0]
    except Unread:
        return None


def _effect_of_refusal(engine: Engine) -> str:
    if engine["state"] == "stopped":
        return "the engine cannot start with it"
    return "the next start will fail"


@control(
    "daemon.configuration_applied",
    "The running engine uses the configuration on disk",
    "medium",
    Remedy(
        "restart",
        "Restart the engine, or reload it where all changed options allow that; see what changes first.",
        "daemon_config",
    ),
)
def configuration_applied(engine: Engine, case: Case) -> Iterator[Deviation]:
    """What was edited after the start is not in force: a check that reads the file believes in a hardening
    that does not exist, and the next restart brings changes that nobody expects that day."""
    if read(engine, "pid") is None:
        raise NotApplicable("the engine does not run")
    config = read(engine, "config")
    if read(config, "settings") is None:
        yield Deviation(
            "unreadable for dockerd", "what is in force", f"{config['path']}: restart pending, and will fail"
        )
        return
    found = False
    for name, setting in drifts(engine):
        found = True
        yield Deviation(setting.value, f"{name}: {setting.pending}", setting.source)
    if not found and edited_since_start(engine):
        evidence = f"{config['path']} is younger than the engine; whether it was reloaded since is not known"
        yield Deviation("edited after the start", "restart pending", evidence, UNKNOWN)


@control(
    "daemon.log_rotation",
    "Logs of containers cannot fill the disk",
    "low",
    Remedy(
        "restart",
        "Set log-opts max-size (and max-file) in daemon.json, or log-driver local; recreate containers.",
        "daemon_config",
        {"daemon_config_defaults": {"log-opts": {"max-size": "10m", "max-file": "3"}}},
    ),
    requirements=("D10-01",),
)
def log_rotation(engine: Engine, case: Case) -> Deviation | None:
    """json-file, the default, never rotates by itself; local does, the others write elsewhere. The options
    are copied when a container is created."""
    driver = effective(engine, "log-driver")
    if driver.value == "none":
        raise NotApplicable("nothing is logged")
    if driver.value != "json-file":
        return None
    options = effective(engine, "log-opts")
    if options.value.get("max-size") not in (None, "", "-1"):
        return None
    return Deviation("no max-size", "max-size", f"{driver.source}, log-opts: {options.source}")


@control(
    "daemon.limits_effective",
    "The engine can enforce resource limits",
    "medium",
    Remedy(
        "manual",
        "Boot with cgroup v2 and delegate cpu, cpuset, io, memory and pids to the user's manager"
        " (rootless_delegate of the role rootless).",
    ),
    requirements=("D07-04", "RT-48"),
)
def limits_effective(engine: Engine, case: Case) -> Iterator[Deviation]:
    """Without a cgroup driver limits are accepted and ignored: a rootless engine on cgroup v1 takes -m 64m
    and returns 0 (seen on 20.10 and 26.1). The driver is recorded here."""
    info = read(engine, "info")
    driver = read(info, "CgroupDriver")
    if driver == "none":
        yield Deviation(
            driver, "systemd or cgroupfs", f"/info CgroupDriver, cgroup v{info.get('CgroupVersion', '?')}"
        )
        return
    for key in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"):
        if info.get(key) is False:
            yield Deviation(False, True, f"/info {key}")


@control(
    "daemon.security_module",
    "The engine uses the host's AppArmor or SELinux",
    "high",
    Remedy(
        "restart",
        "For SELinux set selinux-enabled in daemon.json; for AppArmor install the apparmor package.",
    ),
    requirements=("D01-28",),
)
def security_module(engine: Engine, case: Case) -> Iterator[Deviation]:
    """An enabled security module confines containers only if the engine knows of it: SELinux needs an option,
    AppArmor its parser. AppArmor does not work in rootless mode, which is judged by SELinux alone."""
    lsm = case.host("host", "lsm")
    apparmor, selinux = read(lsm, "apparmor"), read(lsm, "selinux")
    wanted = []
    if apparmor and apparmor["enabled"] and not case.rootless:
        wanted.append("apparmor")
    if selinux and selinux["mode"] != "disabled":
        wanted.append("selinux")
    if not wanted:
        raise NotApplicable("the host has no AppArmor or SELinux that this engine could use")
    used = security_options(engine)
    for name in wanted:
        if name not in used:
            yield Deviation("not used", name, "/info SecurityOptions")


def _confined_containers(case: Case) -> Iterable[Item]:
    apparmor = case.host("host", "lsm", "apparmor")
    if not apparmor or not apparmor["enabled"]:
        raise NotApplicable("the host has no AppArmor")
    if case.rootless:
        raise NotApplicable("a rootless engine cannot load AppArmor profiles, and ignores the option")
    return containers(case)


@control(
    "daemon.apparmor_profile_loaded",
    "AppArmor profiles that containers name are loaded",
    "low",
    Remedy(
        "live", "Load the profile with apparmor_parser -r, and lay it in /etc/apparmor.d for the next boot."
    ),
    requirements=("RT-42",),
    over=_confined_containers,
)
def apparmor_profile_loaded(container: Mapping[str, Any], case: Case) -> Deviation | None:
    """A container whose profile is missing does not start again; where the kernel has no AppArmor the
    option is ignored without a word."""
    profile = security_option(container, "apparmor")
    if profile in (None, "", "unconfined", "docker-default"):
        return None
    if profile in case.host("host", "lsm", "apparmor", "profiles"):
        return None
    return Deviation("not loaded", profile, "SecurityOpt apparmor")


@control(
    "daemon.seccomp_profile_file",
    "The daemon's seccomp profile lies where only root can change it",
    "low",
    Remedy("restart", "Move the profile to /etc/docker/seccomp, root:root 0644, and change seccomp-profile."),
    requirements=("RT-41",),
)
def seccomp_profile_file(engine: Engine, case: Case) -> Iterator[Deviation]:
    """Who can write the profile decides at the next start which system calls all new containers may use; a
    profile in a temporary directory is gone by then, and the engine does not start."""
    path = effective(engine, "seccomp-profile").value
    if not path.startswith("/"):
        raise NotApplicable("no profile file is in use")
    if path.startswith(("/tmp/", "/var/tmp/", "/dev/shm/")):
        yield Deviation(path, "a lasting directory", "/info SecurityOptions")
    file = case.host("files", path)
    if file is None:
        yield Deviation("missing", "a file", path)
        return
    owners = {0, engine["uid"]}
    if file["uid"] not in owners:
        yield Deviation(f"owner {file['owner']}", "root", path)
    if int(file["mode"], 8) & 0o022:
        yield Deviation(f"mode {file['mode']}", "no write access for group and others", path)
    for entry in file["acl"]:
        if "w" in entry.rpartition(":")[2]:
            yield Deviation(f"access list entry {entry}", "no write access for others", path)
    for parent in file["parents"]:
        if not (parent["uid"] in owners and not int(parent["mode"], 8) & 0o022):
            yield Deviation(f"{parent['path']} has mode {parent['mode']}", "written by root alone", path)


@host_control(
    "daemon.supervised",
    "Every engine on the host runs under a service manager",
    "medium",
    Remedy("manual", "Stop the process and run the engine by a unit, or remove it."),
)
def supervised(process: Mapping[str, Any], case: Case) -> Deviation | None:
    """An engine started by hand or by a forgotten script has a socket and containers of its own, which
    nothing updates, watches or audits. A process is known by its program file, not by its name."""
    if process["exe"] is None:
        raise Unread(f"which program process {process['pid']} runs could not be read")
    if process["engine"] is not None or process["unit"] is not None:
        return None
    return Deviation("no unit", "a systemd unit", process["exe"])
