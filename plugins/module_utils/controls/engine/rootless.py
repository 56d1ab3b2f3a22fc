# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of rootless engines: who runs them, how they start, and what of the system's engine is left
beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_engine,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.settings_in_force import (
    configured,
    security_options,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

Engine = Mapping[str, Any]
# Where distributions put programs; what lies elsewhere no package manager updates.
_PACKAGED = (
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/libexec/",
    "/usr/share/",
    "/bin/",
    "/sbin/",
    "/nix/store/",
)
_RESTRICTED = "kernel.apparmor_restrict_unprivileged_userns"
_ENGINE_PACKAGES = ("docker-ce", "docker.io", "moby-engine", "docker-engine", "docker", "moby", "docker-moby")


def rootless_engine(case: Case) -> Iterable[Item]:
    """The engine, when an ordinary user runs it."""
    if not case.rootless:
        raise NotApplicable("the engine is the system's")
    return on_engine(case)


control = scope("rootless", per_engine=True, over=rootless_engine)


@control(
    "daemon.rootless_mode",
    "The daemon itself runs without root",
    "medium",
    Remedy(
        "manual",
        "Set up a rootless engine for an account of your choice (rootless_user) where its limits allow: ports below"
        " 1024, AppArmor, overlay networks. Images and volumes do not come along.",
        "rootless",
        {"rootless_state": "present"},
    ),
    cis=("2.1",),
    level=1,
    # Most good hosts run the system's engine with userns-remap; to change over is a project of its own.
    baseline=False,
    over=on_engine,
)
def rootless_mode(engine: Engine, case: Case) -> Deviation | None:
    """A flaw in a daemon of root gives the host; in a rootless one it gives one user's files."""
    if "rootless" in security_options(engine):
        return None
    return Deviation("root", "an ordinary user", "/info SecurityOptions")


@control(
    "rootless.unprivileged",
    "The processes of a rootless engine belong to its user",
    "high",
    Remedy(
        "restart",
        "Stop it, and start it by the user's own systemd unit, without sudo.",
        "rootless",
        {"rootless_state": "present"},
    ),
    requirements=("RT-29", "RT-34"),
)
def unprivileged(engine: Engine, case: Case) -> Iterator[Deviation]:
    """dockerd-rootless.sh under sudo, or --rootless without rootlesskit, gives a root daemon with a
    rootless name. Judged by the owners of dockerd and rootlesskit and by /info."""
    if read(engine, "pid") is None:
        raise NotApplicable("the engine does not run")
    if engine["uid"] == 0:
        yield Deviation("uid 0", engine["user"], "owner of dockerd")
    parent = read(engine, "rootlesskit")
    if parent is None:
        yield Deviation("no rootlesskit", "rootlesskit", "process tree")
    elif parent["uid"] != engine["uid"]:
        yield Deviation(f"uid {parent['uid']}", f"uid {engine['uid']}", "owner of rootlesskit")
    if "rootless" not in security_options(engine):
        yield Deviation("not rootless", "rootless", "/info SecurityOptions")


@control(
    "rootless.no_userns_remap",
    "A rootless engine is not told to remap users again",
    "high",
    Remedy(
        "restart",
        "Remove userns-remap from the user's daemon.json.",
        "rootless",
        {"rootless_state": "present"},
    ),
)
def no_userns_remap(engine: Engine, case: Case) -> Deviation | None:
    """It has no ids to give: with userns-remap the daemon dies at its next start (seen on 20.10 and 26.1)."""
    asked = configured(engine, "userns-remap")
    if asked is None or not asked.value:
        return None
    return Deviation(asked.value, "not set", asked.source)


@control(
    "rootless.service",
    "A rootless engine starts at boot and stays when its user logs out",
    "high",
    Remedy(
        "live",
        "Run loginctl enable-linger for the user, then systemctl --user enable --now docker as the user.",
        "rootless",
        {"rootless_state": "present"},
    ),
    requirements=("RT-32",),
)
def service(engine: Engine, case: Case) -> Iterator[Deviation]:
    """Without linger /run/user/UID goes with the last session, and the engine and its containers with it
    (seen)."""
    unit = read(engine, "user_unit")
    if not unit or not unit["fragment_exists"]:
        yield Deviation("no unit", "a systemd user unit", (unit or {}).get("path"))
    elif not unit["enabled"]:
        yield Deviation("not enabled", "enabled", unit["path"])
    if engine["user"] not in case.host("accounts", "linger"):
        yield Deviation("no linger", "linger", f"/var/lib/systemd/linger/{engine['user']}")
    if engine["state"] == "stopped":
        yield Deviation("stopped", "running", engine["error"])


@control(
    "rootless.client",
    "The user's docker command reaches the user's engine",
    "low",
    Remedy(
        "live",
        "Run docker context create rootless --docker host=unix:///run/user/UID/docker.sock, then use it.",
        "rootless",
        {"rootless_client": ["context"]},
    ),
    requirements=("RT-33",),
)
def client(engine: Engine, case: Case) -> Deviation | None:
    """Otherwise docker talks to the system's engine, or fails, and people reach for sudo."""
    hosts: list[str] = []
    for entry in case.host("clients"):
        if entry["user"] == engine["user"]:
            current = read(entry, "current_context")
            hosts += [context["host"] for context in read(entry, "contexts") if context["name"] == current]
            exported = read(entry, "environment").get("DOCKER_HOST")
            hosts += [exported["value"]] if exported else []
    if any(host.endswith(engine["socket"]) for host in hosts):
        return None
    return Deviation(hosts or "no context", f"unix://{engine['socket']}", "contexts and DOCKER_HOST")


@control(
    "rootless.user_not_in_docker_group",
    "The user of a rootless engine cannot use the system's engine",
    "high",
    Remedy("live", "Remove the user from the group docker; it counts from the next login."),
)
def user_not_in_docker_group(engine: Engine, case: Case) -> Deviation | None:
    """The group docker is root of the host: with it the rootless engine guards nothing. The primary group
    counts."""
    for group in case.host("accounts", "groups"):
        if group["name"] == "docker" and engine["user"] in group["members"]:
            return Deviation("member of docker", "no member", "/etc/group")
    return None


@control(
    "rootless.system_engine_off",
    "The system's engine is off where a rootless one replaces it",
    "high",
    Remedy(
        "live",
        "Stop its containers (rootless_stop_containers lets the role do it), then systemctl disable --now"
        " docker.service docker.socket, remove the socket.",
        "rootless",
        {"rootless_system_engine": "stop"},
    ),
    requirements=("RT-35",),
    parameters={"beside": False},
)
def system_engine_off(engine: Engine, case: Case) -> Iterator[Deviation]:
    """A disabled docker.service comes back with the next connection while docker.socket listens (seen).
    Set `beside` where both are meant to run."""
    if case.parameters["beside"]:
        raise NotApplicable("both engines are meant to run")
    units = case.host("units")
    for name in ("docker.socket", "docker.service"):
        unit = units.get(name)
        if unit and unit["load"] == "loaded":
            if unit["active"] in ("active", "activating"):
                yield Deviation(f"{name} is {unit['active']}", "inactive", "systemd")
            elif is_enabled(unit):
                yield Deviation(f"{name} is enabled", "disabled", "systemd")
    for other in case.host("engines"):
        # Without an engine its containers are those that /proc shows: live restore left them running.
        if other["user"] is None and other["state"] == "stopped" and isinstance(other["containers"], list):
            for container in other["containers"]:
                yield Deviation(f"container {container['id'][:12]} runs on", "stopped", other["name"])


@control(
    "rootless.packaged",
    "The engine was installed from packages",
    "medium",
    Remedy(
        "restart",
        "Install the engine from packages (docker-ce or docker.io; for a rootless one docker-ce-rootless-extras"
        " or rootlesskit too), and remove the download.",
    ),
    requirements=("RT-31",),
    over=on_engine,
)
def packaged(engine: Engine, case: Case) -> Deviation | None:
    """What a script from the network laid into ~/bin gets no security updates."""
    binary = read(engine, "binary")
    if binary is None:
        raise NotApplicable("the engine does not run")
    if not binary["path"].startswith(_PACKAGED):
        return Deviation(binary["path"], "a program of a package", "/proc/PID/exe")
    installed = case.host("host", "packages", "installed")
    if not any(name in installed for name in _ENGINE_PACKAGES):
        return Deviation("no package of the engine", f"one of {', '.join(_ENGINE_PACKAGES)}", binary["path"])
    return None


@control(
    "rootless.prerequisites",
    "The host lets ordinary users make user namespaces",
    "medium",
    Remedy(
        "live",
        "Set user.max_user_namespaces above 0 and kernel.unprivileged_userns_clone to 1; for AppArmor load a profile"
        " for the rootlesskit in use, which the role does.",
        "rootless",
        {"rootless_state": "present"},
    ),
)
def prerequisites(engine: Engine, case: Case) -> Iterator[Deviation]:
    """A rootless engine that runs today does not start again after a setting of the kernel has taken user
    namespaces away. Ubuntu's restriction by AppArmor needs a profile for the path of rootlesskit, not the
    global switch."""
    for name, refused in (("user.max_user_namespaces", "0"), ("kernel.unprivileged_userns_clone", "0")):
        if case.host("host", "sysctls").get(name) == refused:
            yield Deviation(f"{name} = {refused}", "user namespaces allowed", "sysctl")
    apparmor = case.host("host", "lsm", "apparmor")
    restricted = apparmor and apparmor["enabled"] and case.host("host", "sysctls").get(_RESTRICTED) == "1"
    # The profile of AppArmor's own package is called rootlesskit, others by convention after the path.
    if restricted and not any("rootlesskit" in name for name in read(apparmor, "profiles")):
        yield Deviation("no profile for rootlesskit is loaded", "a profile", f"{_RESTRICTED} = 1")
