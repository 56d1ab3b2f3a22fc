# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of single daemon options, built from one table: what the option in force should be, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine.setting_rules import Rule, build
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    NotApplicable,
    Remedy,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import WILDCARDS


def _not(wanted: Any) -> Callable[[Any, Mapping[str, Any]], Any]:
    return lambda value, _unused: None if value == wanted else value


def _among(parameter: str) -> Callable[[Any, Mapping[str, Any]], Any]:
    return lambda value, parameters: value if value in parameters[parameter] else None


def _outside(parameter: str, *right: Any) -> Callable[[Any, Mapping[str, Any]], Any]:
    return lambda value, parameters: None if value in (*right, *parameters[parameter]) else value


def _empty(value: Any, _unused: Mapping[str, Any]) -> Any:
    return None if value else "not set"


def _not_allowed(value: list[str], parameters: Mapping[str, Any]) -> Any:
    return [name for name in value if name not in parameters["allow"]] or None


def _wildcard(value: str, _unused: Mapping[str, Any]) -> Any:
    return value if value in WILDCARDS else None


def _base_size(value: list[str], _unused: Mapping[str, Any]) -> Any:
    return [word for word in value if word.startswith("dm.basesize=")] or None


def _no_filter(value: str, _unused: Mapping[str, Any]) -> Any:
    return value if value in ("unconfined", "not available") else None


def _without_swarm(case: Case) -> None:
    if read(case.engine, "info", "Swarm", "LocalNodeState") not in ("", "inactive"):
        raise NotApplicable("live restore and swarm mode exclude each other")


def _with_bridge(case: Case) -> None:
    if not any(network["name"] == "bridge" for network in case.of_engine("networks")):
        raise NotApplicable("there is no default bridge")


def _not_rootless(reason: str) -> Callable[[Case], None]:
    def applies(case: Case) -> None:
        if case.rootless:
            raise NotApplicable(reason)

    return applies


def _restorable(case: Case) -> None:
    _not_rootless("the containers of a rootless engine end with it, whatever live-restore says")(case)
    _without_swarm(case)


# What the role daemon_config sets where nobody chose another number.
_ULIMITS = {"nofile": {"Name": "nofile", "Hard": 65536, "Soft": 65536}}

RULES = (
    Rule(
        "daemon.icc",
        "Containers on the default bridge cannot reach each other",
        "medium",
        "icc",
        _not(False),
        False,
        Remedy(
            "restart",
            "Set icc to false in daemon.json; it concerns the default bridge only, and needs br_netfilter.",
            "daemon_config",
            {"daemon_config_baseline": {"icc": False}},
        ),
        "With icc every container on the default bridge reaches all ports of its neighbours, published or "
        "not. Networks made by users are separate from each other without it.",
        requirements=("D03-02",),
        cis=("2.2",),
        level=1,
        applies=_with_bridge,
    ),
    Rule(
        "daemon.log_level",
        "The daemon logs at level info",
        "low",
        "log-level",
        _outside("levels"),
        "info",
        Remedy(
            "restart",
            "Remove log-level from daemon.json, or set it to info.",
            "daemon_config",
            {"daemon_config_unwanted": {"log-level": ["debug", "warn", "error", "fatal"]}},
        ),
        "From warn on the record of who did what is lost; debug drowns it.",
        cis=("2.3",),
        level=1,
        parameters={"levels": ["info"]},
    ),
    Rule(
        "daemon.debug",
        "The daemon does not run in debug mode",
        "low",
        "debug",
        _not(False),
        False,
        Remedy(
            "reload",
            "Remove debug from daemon.json, or set it to false.",
            "daemon_config",
            {"daemon_config_unwanted": {"debug": [True]}},
        ),
        "Debug mode sets the log level to debug, whatever log-level says, and writes the bodies of API "
        "requests to the log.",
        cis=("2.3",),
        level=1,
    ),
    Rule(
        "daemon.iptables",
        "The daemon manages the packet filter of its networks",
        "medium",
        "iptables",
        _not(True),
        True,
        Remedy(
            "restart",
            "Remove iptables from daemon.json, or set it to true (for a rootless engine rootless_iptables of the role"
            " rootless); rules of your own go to DOCKER-USER.",
            "daemon_config",
            {"daemon_config_settings": {"iptables": True}},
        ),
        "Without its rules nothing keeps the networks of containers apart, and port publishing works by the"
        " proxy alone.",
        cis=("2.4",),
        level=1,
    ),
    Rule(
        "daemon.insecure_registries",
        "No registry is used without verified TLS",
        "medium",
        "insecure-registries",
        _not_allowed,
        "none but the loopback",
        Remedy(
            "reload",
            "Give the registry a certificate, lay its CA in /etc/docker/certs.d, remove the entry.",
            "daemon_config",
            {"daemon_config_baseline": {"insecure-registries": []}},
        ),
        "From an insecure registry images and credentials pass in clear text, and anyone between can "
        "replace an image.",
        requirements=("RT-47",),
        cis=("2.5",),
        level=1,
        parameters={"allow": []},
    ),
    Rule(
        "daemon.storage_driver",
        "No abandoned storage driver is in use",
        "medium",
        "storage-driver",
        _among("refuse"),
        "overlay2, or the image store of containerd",
        Remedy(
            "restart",
            "Save images and volumes, set storage-driver to overlay2; what the old driver held is not seen "
            "then.",
        ),
        "aufs needs a kernel module that nobody maintains, devicemapper on loop devices fails under load; "
        "no engine since 25.0 has them.",
        cis=("2.6",),
        cis_1_8_0=("2.6", "2.7"),
        level=1,
        parameters={"refuse": ["aufs", "devicemapper"]},
    ),
    Rule(
        "daemon.default_ulimits",
        "Containers get default resource limits (ulimits)",
        "medium",
        "default-ulimits",
        _empty,
        "at least nofile or nproc",
        Remedy(
            "restart",
            "Set default-ulimits in daemon.json, for example nofile; running containers keep theirs.",
            "daemon_config",
            {"daemon_config_defaults": {"default-ulimits": _ULIMITS}},
        ),
        "Without them a container inherits the daemon's own limits, which its unit sets to infinity.",
        requirements=("D07-05",),
        cis=("2.8",),
        level=1,
        # The right numbers depend on what runs; a PID limit per container is the better guard.
        baseline=False,
    ),
    Rule(
        "daemon.cgroup_parent",
        "Containers are in the default parent cgroup",
        "low",
        "cgroup-parent",
        _outside("allow", ""),
        "not set",
        Remedy(
            "restart",
            "Remove cgroup-parent from daemon.json unless a resource plan needs it.",
            "daemon_config",
            {"daemon_config_settings": {"cgroup-parent": None}},
        ),
        "Another parent puts all containers under limits, or out of limits, that nobody looks for there.",
        cis=("2.10",),
        level=2,
        parameters={"allow": []},
    ),
    Rule(
        "daemon.base_device_size",
        "The base device size is not raised",
        "low",
        "storage-opts",
        _base_size,
        "not set",
        Remedy("restart", "Remove dm.basesize from storage-opts."),
        "A larger base device lets each container fill the pool of all; it concerns devicemapper only.",
        cis=("2.11",),
        level=2,
    ),
    Rule(
        "daemon.authorization_plugin",
        "An authorization plugin decides on API requests",
        "low",
        "authorization-plugins",
        _empty,
        "a plugin",
        Remedy(
            "restart",
            "Install the plugin first, then set authorization-plugins; an unknown plugin ends the daemon.",
        ),
        "Without one, everybody who reaches the API is root of the host; nothing else can forbid single "
        "options.",
        cis=("2.12",),
        level=2,
    ),
    Rule(
        "daemon.logging",
        "The output of containers is logged",
        "high",
        "log-driver",
        lambda value, _unused: value if value == "none" else None,
        "a log driver",
        Remedy(
            "restart",
            "Set log-driver to journald, local or a remote driver; recreate containers to use it.",
            "daemon_config",
            {"daemon_config_unwanted": {"log-driver": ["none"]}},
        ),
        "With the driver none the output of every new container is lost, also for an incident's inquiry.",
        requirements=("D10-01",),
        cis=("2.13",),
        level=2,
    ),
    Rule(
        "daemon.central_logging",
        "The output of containers leaves the host",
        "low",
        "log-driver",
        _among("local_drivers"),
        "syslog, journald, fluentd or another driver that forwards",
        Remedy("restart", "Set log-driver and log-opts for your log server; recreate containers to use it."),
        "Logs that lie on the host alone are the intruder's to change; json-file and local never leave it.",
        cis=("2.13",),
        level=2,
        parameters={"local_drivers": ["json-file", "local", "none"]},
    ),
    Rule(
        "daemon.no_new_privileges",
        "New containers cannot gain privileges by setuid programs",
        "high",
        "no-new-privileges",
        _not(True),
        True,
        Remedy(
            "restart",
            "Set no-new-privileges to true in daemon.json, restart, recreate the containers.",
            "daemon_config",
            {"daemon_config_baseline": {"no-new-privileges": True}},
        ),
        "A setuid program in the image is then no way to more privileges. The option is copied when a "
        "container is created: those of before go on without it.",
        requirements=("D04-30",),
        cis=("2.14",),
        level=1,
    ),
    Rule(
        "daemon.live_restore",
        "Containers survive a restart of the daemon",
        "low",
        "live-restore",
        _not(True),
        True,
        Remedy(
            "reload",
            "Set live-restore to true in daemon.json and reload; not together with swarm mode.",
            "daemon_config",
            {"daemon_config_baseline": {"live-restore": True}},
        ),
        "Where a restart stops every container, security updates of the engine are put off. A rootless engine "
        "takes the option and loses its containers all the same (seen on 20.10, 26.1 and 28.5).",
        requirements=("RT-46",),
        cis=("2.15",),
        level=1,
        applies=_restorable,
    ),
    Rule(
        "daemon.userland_proxy",
        "Published ports do not pass through the userland proxy",
        "low",
        "userland-proxy",
        _not(False),
        False,
        Remedy(
            "restart",
            "Set userland-proxy to false in daemon.json; the kernel's hairpin NAT takes over.",
            "daemon_config",
            {"daemon_config_baseline": {"userland-proxy": False}},
        ),
        "One process of root per published port, which also hides the client's address from the container. In a "
        "rootless engine it is no process of root, and without it published ports were not reached (seen on 20.10 and "
        "26.1; on 28.5 where it manages no packet filter).",
        cis=("2.16",),
        level=1,
        applies=_not_rootless(
            "the proxy of a rootless engine is no process of root, and publishing needs it"
        ),
    ),
    Rule(
        "daemon.seccomp_profile",
        "System calls are filtered by default",
        "high",
        "seccomp-profile",
        _no_filter,
        "the built-in profile or a file of your own",
        Remedy(
            "restart",
            "Remove seccomp-profile from daemon.json, or let it name a profile that denies by default.",
            "daemon_config",
            {"daemon_config_unwanted": {"seccomp-profile": ["unconfined"]}},
        ),
        "The built-in profile blocks some 44 system calls that hardly any program needs and many escapes "
        "did.",
        requirements=("D04-35", "D04-36"),
        cis=("2.17",),
        level=2,
    ),
    Rule(
        "daemon.experimental",
        "Experimental features are off",
        "low",
        "experimental",
        _not(False),
        False,
        Remedy(
            "restart",
            "Remove experimental from daemon.json, or set it to false.",
            "daemon_config",
            {"daemon_config_unwanted": {"experimental": [True]}},
        ),
        "What is experimental is not covered by the promise of security fixes.",
        cis=("2.18",),
        level=1,
    ),
    Rule(
        "daemon.published_address",
        "Ports are not published on all addresses by default",
        "medium",
        "ip",
        _wildcard,
        "127.0.0.1 or another specific address",
        Remedy(
            "restart",
            "Set ip to 127.0.0.1 in daemon.json; name the address where a port must be open: -p "
            "ADDRESS:80:80.",
            "daemon_config",
            {"daemon_config_ip": "127.0.0.1"},
        ),
        "A port published without an address is open to everybody who reaches the host, past the rules of "
        "INPUT. The option concerns the default bridge.",
        requirements=("RT-44",),
        # Hosts that serve the outside publish on purpose; each container's ports are judged by themselves.
        baseline=False,
        applies=_with_bridge,
    ),
    Rule(
        "daemon.cgroup_namespace",
        "New containers get a cgroup namespace of their own",
        "low",
        "default-cgroupns-mode",
        _not("private"),
        "private",
        Remedy(
            "reload",
            "Set default-cgroupns-mode to private in daemon.json; on cgroup v1 the default is host.",
            "daemon_config",
            {"daemon_config_baseline": {"default-cgroupns-mode": "private"}},
        ),
        "In the host's cgroup namespace a container sees the names of all others, and with a writable mount"
        " their limits.",
        requirements=("D01-27",),
    ),
)

CONTROLS = tuple(map(build, RULES))
