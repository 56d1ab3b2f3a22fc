# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of single network services that many distributions bring: rpcbind, avahi, systemd's own, sshd."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Remedy,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import (
    Service,
    is_ssh,
    require_owner,
    services,
    undeclared,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.units import unit
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import known_services
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import matches, shown
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

control = scope("listeners", per_engine=False, over=services)
host_control = scope("listeners", per_engine=False, over=on_host)


def _switched_off(
    control_id: str, requirement: str, severity: str, known: known_services.Service, why: str
) -> Control:
    """A control that a service, its socket unit included, neither listens nor will after the next boot."""
    name = known.name

    def judge(_snapshot: Mapping[str, Any], case: Case) -> list[Deviation]:
        exposed = [item.value for item in services(case)]
        found = [service for service in exposed if matches(service.names, known.programs)]
        if found:
            return [Deviation(service.shown, "not listening", service.name) for service in found]
        for service in exposed:
            if service.port in known.ports:
                require_owner(service)
        enabled = [each for each in (f"{name}.socket", f"{name}.service") if is_enabled(unit(case, each))]
        return [Deviation(f"{each} is enabled", "disabled or masked", "systemctl") for each in enabled]

    judge.__doc__ = why
    built: Control = host_control(
        control_id,
        f"{name} is switched off",
        severity,
        Remedy(
            "live",
            f"systemctl disable --now {name}.socket {name}.service; one alone starts the other again.",
            "listening_services",
            {"listening_services_action": "disable"},
        ),
        requirements=(requirement,),
    )(judge)
    return built


SWITCHED_OFF = (
    _switched_off(
        "listener.rpcbind",
        "D04-09",
        "high",
        known_services.RPCBIND,
        "It serves NFS version 3 and NIS, tells anybody what else runs, and amplifies attacks. Stopping the"
        " service alone leaves port 111 with systemd, and the first packet starts it again.",
    ),
    _switched_off(
        "listener.avahi",
        "D04-11",
        "medium",
        known_services.AVAHI,
        "It announces the host and parses multicast packets from everybody on the link. A line to its socket"
        " in /run starts it again when only the service was stopped.",
    ),
)

_SYSTEMD_SERVICES = {
    53: "resolved's stub belongs on loopback (DNSStubListenerExtra=)",
    67: "networkd serves DHCP (DHCPServer=no)",
    5353: "MulticastDNS=no in resolved.conf",
    5355: "LLMNR=no in resolved.conf",
    19531: "systemctl disable --now systemd-journal-gatewayd.socket",
    19532: "systemctl disable --now systemd-journal-remote.socket",
}


@control(
    "listener.systemd_services",
    "systemd's own network services cannot be reached over the network",
    "medium",
    Remedy(
        "live",
        "Set what the evidence names in a drop-in and restart the service, or disable the unit; LLMNR and"
        " MulticastDNS by listening_services_rebind of the role listening_services.",
    ),
    requirements=("D04-12",),
    parameters={"allow": []},
)
def systemd_services(service: Service, case: Case) -> Deviation | None:
    """LLMNR lets anybody on the link answer for any name; a receiver of journals takes them from anybody."""
    if not matches(service.names, ("systemd-*",)):
        if service.port in _SYSTEMD_SERVICES:
            require_owner(service)
        return None
    documented = service.port in (68, 546) or service.protocol == "raw"
    left = undeclared(service, case.parameters["allow"])
    if documented or not left:
        return None
    hint = _SYSTEMD_SERVICES.get(service.port, "needed only where it was set up on purpose")
    return Deviation(", ".join(map(shown, left)), "loopback or off", hint)


# setting, its default in OpenSSH, the values that pass, what is wanted
_SSHD = (
    ("permitrootlogin", "prohibit-password", ("no", "prohibit-password", "without-password",
     "forced-commands-only"), "no or prohibit-password"),
    ("passwordauthentication", "yes", ("no",), "no"),
    ("permitemptypasswords", "no", ("no",), "no"),
)  # fmt: skip


@control(
    "listener.sshd",
    "The secure shell server takes keys only",
    "medium",
    Remedy(
        "reload", "Set it in /etc/ssh/sshd_config.d and reload; keep a session open, and have a key in place."
    ),
    requirements=("D04-10",),
    over=lambda case: [item for item in services(case) if is_ssh(item.value) or _may_be_ssh(item.value)],
)
def sshd(service: Service, case: Case) -> list[Deviation]:
    """It is the one service that is reachable everywhere, so passwords get guessed day and night."""
    require_owner(service)
    if case.host("sshd") is None:
        raise Unread("it is not OpenSSH, whose configuration alone is read")
    settings = case.host("sshd", "settings")
    values = {name: _first(settings, (name,), default) for name, default, *_unused in _SSHD}
    found = [
        Deviation(f"{name} {values[name]}", wanted, f"listens on {service.shown}")
        for name, _unused, good, wanted in _SSHD
        if values[name] not in good
    ]
    asks = _first(settings, ("kbdinteractiveauthentication", "challengeresponseauthentication"), "yes")
    if asks != "no" and _first(settings, ("usepam",), "no") == "yes":
        found.append(
            Deviation(f"kbdinteractiveauthentication {asks}", "no", "PAM asks for the password then")
        )
    return found


def _may_be_ssh(service: Service) -> bool:
    return service.port == 22 and not service.names


def _first(settings: Mapping[str, Sequence[str]], names: Iterable[str], default: str) -> str:
    """Of most settings sshd takes the first value."""
    return next((settings[name][0].lower() for name in names if settings.get(name)), default)


_LIBWRAP = ("libwrap0", "libwrap0t64", "tcp_wrappers-libs", "tcp_wrappers", "tcpd")


@host_control(
    "listener.wrapper_rules_obeyed",
    "Rules of hosts.allow and hosts.deny are kept only where programs obey them",
    "low",
    Remedy(
        "manual",
        "Move the rules to IPAddressDeny= and IPAddressAllow= of the units (listening_services_restrict of the role"
        " listening_services), or to the packet filter.",
    ),
    requirements=("D04-23",),
)
def wrapper_rules_obeyed(_snapshot: Mapping[str, Any], case: Case) -> Deviation | None:
    """OpenSSH dropped tcpwrappers in 6.7 (Debian patches it back in), so the files often protect nothing."""
    access = case.host("hosts_access")
    rules = [*(read(access, "allow") or ()), *(read(access, "deny") or ())]
    if not rules:
        return None
    if any(name in case.host("host", "packages", "installed") for name in _LIBWRAP):
        return None
    return Deviation(f"{len(rules)} rules", "none", "libwrap is not installed: no program reads them")
