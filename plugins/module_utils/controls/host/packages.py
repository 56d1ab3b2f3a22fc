# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of what is installed: a container host needs no desktop, compiler or server application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

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

# Names as shell patterns, of Debian's and the RPM distributions' packages.
_DESKTOP = (
    "*-session-gnome", "cinnamon-session", "gdm", "gdm3", "gnome-session*", "gnome-shell", "kwin-*",
    "lightdm", "lxdm", "lxqt-session", "lxsession", "mate-session-manager", "plasma-desktop",
    "plasma-workspace", "sddm", "task-*-desktop", "task-desktop", "ubuntu-desktop*", "weston",
    "xfce4-session", "xorg-x11-server-Xorg", "xserver-xorg", "xserver-xorg-core",
)  # fmt: skip
_COMPILERS = (
    "build-essential", "cargo", "clang", "clang-[0-9]*", "default-jdk*", "dpkg-dev", "g++", "g++-[0-9]*",
    "gcc", "gcc-[0-9]", "gcc-[0-9][0-9]", "gcc-c++", "gfortran", "go", "golang", "golang-[0-9]*-go",
    "golang-bin", "golang-go", "java-*-devel", "make", "nasm", "openjdk-*-jdk*", "rust", "rustc", "tcc",
)  # fmt: skip
_SERVERS = (
    "apache2", "apache2-bin", "bind", "bind9", "caddy", "couchdb", "courier-*", "cups",
    "cups-daemon", "dnsmasq", "dovecot", "dovecot-core", "elasticsearch", "exim4-daemon-*",
    "haproxy", "httpd", "inetutils-inetd", "isc-dhcp-server", "kea", "lighttpd", "mariadb-server*",
    "memcached", "mongodb-org-server", "mysql-community-server", "mysql-server*",
    "nfs-kernel-server", "nginx", "nginx-core", "nginx-full", "nginx-light", "openbsd-inetd",
    "openldap-servers", "opensearch", "pdns-server", "php*-fpm", "postfix", "postgresql", "postgresql-[0-9]*",
    "postgresql-server", "proftpd*", "pure-ftpd", "rabbitmq-server", "redis", "redis-server",
    "rpcbind", "rsh-server", "samba", "sendmail", "slapd", "snmpd", "squid", "squid3",
    "telnet-server", "telnetd", "tftp-server", "tftpd*", "tigervnc-server", "tomcat*", "unbound",
    "valkey", "valkey-server", "varnish", "vsftpd", "x11vnc", "xinetd", "xrdp", "ypserv",
)  # fmt: skip
# Made to run containers; their software is not installed by packages, or cannot be changed.
_CONTAINER_SYSTEMS = (
    "bottlerocket",
    "flatcar",
    "opensuse-microos",
    "rancheros",
    "sle-micro",
    "sl-micro",
    "talos",
)
_CONTAINER_VARIANTS = ("coreos", "iot")


def _installed(case: Case) -> Mapping[str, Any]:
    if case.host("host", "packages", "manager") is None:
        raise NotApplicable("this host has no package manager")
    found: Mapping[str, Any] = case.host("host", "packages", "installed")
    return found


def _beginning(pattern: str) -> str:
    """What is to be taken literally at the beginning of a shell pattern."""
    return pattern.partition("*")[0].partition("[")[0]


def _matching(patterns: Iterable[str]) -> Callable[[Case], Iterable[Item]]:
    # Most are plain names, and to compile an expression of all takes longer than to compare hundreds.
    names = frozenset(patterns)
    shapes = [(_beginning(pattern), pattern) for pattern in patterns if _beginning(pattern) != pattern]

    def wanted(name: str) -> bool:
        return name in names or any(
            name.startswith(beginning) and fnmatchcase(name, pattern) for beginning, pattern in shapes
        )

    def over(case: Case) -> Iterable[Item]:
        allowed = case.parameters["allow"]
        return [
            Item("package", name, name, version)
            for name, version in sorted(_installed(case).items())
            if wanted(name) and not any(fnmatchcase(name, pattern) for pattern in allowed)
        ]

    return over


def _none_installed(
    control_id: str, title: str, severity: str, requirement: str, patterns: Iterable[str], why: str
) -> Control:
    def judge(version: str, case: Case) -> Deviation:
        evidence = "package database"
        if patterns is _DESKTOP and case.host("host").get("default_target") == "graphical.target":
            evidence += ", and the default target is graphical.target"
        return Deviation(f"installed, {version}", "not installed", evidence)

    judge.__doc__ = why
    control: Control = scope("host", per_engine=False, over=_matching(patterns))(
        control_id,
        title,
        severity,
        Remedy(
            "manual",
            "Remove the packages shown, or run them in a container. `allow` takes patterns.",
        ),
        requirements=(requirement,),
        parameters={"allow": []},
    )(judge)
    return control


NOT_INSTALLED = (
    _none_installed(
        "host.no_desktop",
        "No desktop is installed",
        "medium",
        "D04-15",
        _DESKTOP,
        # The boot target alone proves nothing: Debian's is graphical.target on every server.
        "A desktop brings hundreds of programs that no container host needs.",
    ),
    _none_installed(
        "host.no_compilers",
        "No compilers are installed",
        "low",
        "D04-16",
        _COMPILERS,
        "A compiler lets an intruder build what the host lacks, kernel exploits for one.",
    ),
    _none_installed(
        "host.no_server_applications",
        "No server applications are installed beside the engine",
        "medium",
        "D04-17",
        _SERVERS,
        "What serves belongs into a container; on the host it is one more way in, below all containers.",
    ),
)


@scope("host", per_engine=False, over=on_host)(
    "host.minimal_system",
    "The host runs a minimal system or one made for containers",
    "info",
    Remedy("manual", "Install the host from a minimal or container-specific distribution."),
    requirements=("D04-14",),
    parameters={"max_packages": 800},
)
def minimal_system(_snapshot: Mapping[str, Any], case: Case) -> Deviation | None:
    """What is not installed needs no patch and gives an intruder nothing to use."""
    release = case.host("host", "os") or {}
    if release.get("ID") in _CONTAINER_SYSTEMS or release.get("VARIANT_ID") in _CONTAINER_VARIANTS:
        return None
    count, most = len(_installed(case)), case.parameters["max_packages"]
    return Deviation(f"{count} packages", f"at most {most}", "package database") if count > most else None
