# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that stop a service for good, bind its sockets elsewhere, or let only some addresses in.

Undone in reverse order, each leaves the unit as it was: what a file belongs to is stopped before the file changes, so
that it starts again with the former one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.unit_closure import (
    Closure,
    Unit,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import kinds, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step

UNITS = "/etc/systemd/system"
LISTEN_FILE = "bulwark-listen.conf"
ACCESS_FILE = "bulwark-access.conf"
RESOLVED = "systemd-resolved.service"
RESOLVED_FILE = "/etc/systemd/resolved.conf.d/bulwark.conf"
# Of what is no network address systemd shows the path or the name.
_NETWORK = ("Stream", "Datagram", "SequentialPacket")
# Options of a rebind of systemd-resolved, and their names in its configuration.
RESOLVED_OPTIONS = {"llmnr": "LLMNR", "mdns": "MulticastDNS"}
_MADE = "# Written by bulwark.docker (role listening_services)."


def off(found: Closure, verb: str) -> list[Step]:
    """`verb` is stop, disable or mask. Each that is so already is left out."""
    stems = tuple(f"{unit.name.rpartition('.')[0]}@" for unit in found.units if unit.accepts)
    served = [unit for unit in found.units if stems and unit.name.startswith(stems)]
    units = [unit for unit in found.units if unit not in served]
    planned = _all("running", [unit for unit in units if unit.active], False)
    planned += _all("clients", [unit for unit in served if unit.active], False)
    if verb != "stop":
        planned += _all("enabled", [unit for unit in units if _starts_at_boot(unit)], False)
    if verb == "mask":
        planned += _all("masked", [unit for unit in units if can_be_masked(unit)], True)
    return planned


def _starts_at_boot(unit: Unit) -> bool:
    return unit.is_enabled or (unit.is_generated and kinds.holds(steps.enablement(unit.name, True)))


def _all(what: str, units: Sequence[Unit], value: bool) -> list[Step]:
    """All at once: some stop or disable others with them, and a client may come between."""
    names = [unit.name for unit in units]
    if len(names) < 2:
        return [steps.setting(what, ROOT, name, value) for name in names]
    return [steps.setting(what, ROOT, " ".join(names), [value] * len(names))]


def can_be_masked(unit: Unit) -> bool:
    """Not where the file of an administrator lies in the place of the link."""
    return not (unit.is_masked or unit.is_of_the_administrator)


def rebound(socket: Unit, services: Sequence[Unit], wanted: Sequence[str]) -> list[Step]:
    """The socket listens on these addresses (HOST:PORT, [HOST]:PORT) alone; paths of its own stay."""
    file = steps.file(ROOT, f"{UNITS}/{socket.name}.d/{LISTEN_FILE}", _listen(socket, wanted))
    return _around(file, socket, services)


def restricted(unit: Unit, services: Sequence[Unit], allowed: Sequence[str]) -> list[Step]:
    """Only these addresses and networks, and the host itself, reach the unit."""
    section = unit.name.rpartition(".")[2].capitalize()
    lines = [_MADE, f"[{section}]", "IPAddressDeny=any", "IPAddressAllow=localhost"]
    lines += [f"IPAddressAllow={each}" for each in sorted(allowed)]
    file = steps.file(ROOT, f"{UNITS}/{unit.name}.d/{ACCESS_FILE}", "\n".join(lines) + "\n")
    return _around(file, unit, services)


def resolved(options: Mapping[str, bool]) -> list[Step]:
    """systemd-resolved answers LLMNR and multicast DNS or not; the stub for the host itself stays."""
    chosen = [f"{RESOLVED_OPTIONS[name]}={'yes' if on else 'no'}" for name, on in sorted(options.items())]
    file = steps.file(ROOT, RESOLVED_FILE, "\n".join([_MADE, "[Resolve]", *chosen]) + "\n")
    if kinds.holds(file):
        return []
    return [steps.reread(ROOT, RESOLVED, restart=True), file, steps.restart(ROOT, RESOLVED)]


def _around(file: Step, unit: Unit, services: Sequence[Unit]) -> list[Step]:
    """The file while neither the unit nor what it starts runs. Nothing when the file says so already."""
    if kinds.holds(file):
        return []
    running = [each for each in (unit, *services) if each.active]
    return [
        steps.reread(ROOT, unit.name),
        *_all("running", running, False),
        file,
        *_all("running", running, True),
    ]


def _listen(socket: Unit, wanted: Sequence[str]) -> str:
    kinds = list(dict.fromkeys(kind for kind, address in socket.listens if _is_network(kind, address)))
    kept = [(kind, address) for kind, address in socket.listens if not _is_network(kind, address)]
    lines = [_MADE, "[Socket]"]
    # An empty assignment clears what the unit has; without it both would be tried, and the unit would fail.
    lines += [f"Listen{kind}=" for kind in dict.fromkeys([*kinds, *(kind for kind, _address in kept)])]
    lines += [f"Listen{kind}={address}" for kind, address in kept]
    lines += [f"Listen{kind}={address}" for address in wanted for kind in kinds or ["Stream"]]
    # An address that is not there yet at boot is no reason to fail.
    return "\n".join([*lines, "FreeBind=yes", "BindIPv6Only=ipv6-only"]) + "\n"


def _is_network(kind: str, address: str) -> bool:
    return kind in _NETWORK and not address.startswith(("/", "@"))


def still_running(planned: Sequence[Step]) -> Iterator[str]:
    """The keys of the units that are not running, or not off, as the last step about them has it."""
    last = {step.key: step for step in planned if step.kind == "running"}
    return (key for key, step in last.items() if not kinds.holds(step))
