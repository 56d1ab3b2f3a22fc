# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network and port driver of a rootless engine: what it would start with, whether both fit, what brings them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts

# What a program comes with: on Debian and what descends from it, elsewhere.
_PACKAGES = {
    "dbus.socket": ("dbus-user-session", "dbus-daemon"),
    "dockerd": ("docker-ce or docker.io", "docker-ce or moby-engine"),
    "dockerd-rootless.sh": (
        "docker-ce-rootless-extras beside docker-ce, or docker.io, which has it",
        "docker-ce-rootless-extras",
    ),
    "ip": ("iproute2", "iproute"),
    "iptables": ("iptables", "iptables"),
    "newgidmap": ("uidmap", "shadow-utils"),
    "newuidmap": ("uidmap", "shadow-utils"),
    "pasta": ("passt", "passt"),
    "rootlesskit": ("rootlesskit, or docker-ce-rootless-extras", "docker-ce-rootless-extras"),
    "slirp4netns": ("slirp4netns", "slirp4netns"),
    "vpnkit": ("a docker-ce-rootless-extras that has it", "a docker-ce-rootless-extras that has it"),
}
# rootlesskit has this one built in.
_BUILT_IN = "gvisor-tap-vsock"
# Port drivers that go with one network alone (rootlesskit 1.1 and 2.3); builtin goes with all.
_GOES_WITH = {"implicit": "pasta", "slirp4netns": "slirp4netns", _BUILT_IN: _BUILT_IN}
# These bind the ports themselves: a capability of rootlesskit is none of theirs (slirp4netns: seen with 1.1).
_BIND_THEMSELVES = ("implicit", "slirp4netns")

Options = Mapping[str, Any]


def network(facts: Facts, options: Options) -> str | None:
    """The one that the engine would start with; None where there is no program for any."""
    if options["network"] != "auto":
        return str(options["network"])
    order = dict.fromkeys(("slirp4netns", "pasta", *facts.tries))
    return next((name for name in order if _is_there(name, facts) and _knows(name, facts.networks)), None)


def _is_there(name: str, facts: Facts) -> bool:
    return name in facts.networks if name == _BUILT_IN else bool(facts.programs.get(name))


def _knows(name: str, drivers: Sequence[str]) -> bool:
    return not drivers or name in drivers


def package(program: str, facts: Facts) -> str:
    """What to install for it."""
    debian, other = _PACKAGES[program]
    return debian if facts.family == "debian" else other


def problems(facts: Facts, options: Options) -> Iterator[str]:
    """What is missing or does not fit, in sentences with the way out."""
    chosen, driver = network(facts, options), options["port_driver"]
    follow = options["packages_follow"]
    if chosen is None and not follow:
        yield "No network for a rootless engine is installed: install slirp4netns (role variable rootless_packages)."
    elif chosen and facts.rootlesskit and not _knows(chosen, facts.networks):
        yield _unknown(facts, "network", chosen, facts.networks)
    elif chosen and chosen != _BUILT_IN and not (facts.programs.get(chosen) or follow):
        yield f"{chosen} is missing: install {package(chosen, facts)}, or choose another rootless_network."
    with_it = _GOES_WITH.get(driver)
    if with_it and chosen and with_it != chosen:
        yield (
            f"The port driver {driver} goes with the network {with_it} alone, and this one would be {chosen}: set "
            f"rootless_network to {with_it}, or rootless_port_driver to auto."
        )
    elif driver != "auto" and facts.rootlesskit and not _knows(driver, facts.port_drivers):
        yield _unknown(facts, "port driver", driver, facts.port_drivers)
    if driver == "auto" and chosen == "pasta":
        driver = "implicit"
    if options["privileged_ports"] == "capability" and driver in _BIND_THEMSELVES:
        yield (
            f"The port driver {driver} binds ports itself, where a capability of rootlesskit does not help: set "
            "rootless_privileged_ports to sysctl, or rootless_port_driver to builtin."
        )


def _unknown(facts: Facts, what: str, name: str, known: Sequence[str]) -> str:
    variable = f"rootless_{what.replace(' ', '_')}"
    return (
        f"{facts.rootlesskit} knows no {what} {name} (it has {', '.join(known)}): choose another {variable}, or "
        "install a newer rootlesskit."
    )
