# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packet filter does with a new connection, from the rules as iptables-save prints them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Case

ACCEPT, DROP = "accept", "drop"
_VERDICTS = {"ACCEPT": ACCEPT, "DROP": DROP, "REJECT": DROP}
# Options with their value that choose no packets.
_NEUTRAL = ("-A", "-m", "-j", "-g", "--comment", "--reject-with", "--log-prefix", "--log-level")
_INNER_INTERFACES = ("lo", "docker", "br-", "veth", "virbr")
_IPTABLES_CHAINS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
# IP version: the program that shows its rules, and the families of nftables that see its packets
FAMILIES = {4: ("iptables", ("ip", "inet")), 6: ("ip6tables", ("ip6", "inet"))}

Chains = Mapping[str, Mapping[str, Any]]


class Packet(NamedTuple):
    """A connection's first packet. Port None: one that no rule names; interface None: one to the outside."""

    protocol: str
    port: int | None
    interface: str | None = None


def incoming(case: Case, family: int, packet: Packet) -> str:
    """ACCEPT or DROP, for packets to the host itself.

    Raises Unread where rules decide that are not in the snapshot: of nftables it has chains and policies.
    """
    program, families = FAMILIES[family]
    tables = case.host("firewall", program)
    if tables and walk(tables.get("filter", {}), "INPUT", packet) == DROP:
        return DROP
    native = list(native_chains(case, families, "input"))
    if packet.port is None and any(chain["policy"] == "drop" for chain in native):
        return DROP
    if any(chain["rules"] or chain["policy"] == "drop" for chain in native):
        raise Unread("rules of nftables decide, and they are not read")
    return ACCEPT


def native_chains(case: Case, families: Sequence[str], hook: str) -> Iterator[Mapping[str, Any]]:
    """Chains of nftables at a hook, without those that iptables-nft made and iptables-save shows as well."""
    seen = any(case.host("firewall", program) for program, _unused in FAMILIES.values())
    for chain in case.host("firewall", "nftables") or ():
        of_iptables = seen and chain["family"] != "inet" and chain["chain"] in _IPTABLES_CHAINS
        if chain["hook"] == hook and chain["family"] in families and not of_iptables:
            yield chain


def walk(chains: Chains, name: str, packet: Packet, deepest: int = 16) -> str | None:
    """What a chain does with the packet; None when it returns without a verdict.

    A rule that looks at more than protocol, port, interface and connection state concerns some packets only,
    and is passed over: it neither protects from everybody nor opens to everybody.
    """
    chain = chains.get(name)
    if chain is None or not deepest:
        return None
    for line in chain["rules"]:
        words = _split(line)
        if not _matches(words, packet):
            continue
        target = _value(words, "-j") or _value(words, "-g")
        if target == "RETURN":
            break
        verdict = _VERDICTS.get(target or "") or walk(chains, target or "", packet, deepest - 1)
        if verdict:
            return verdict
    return _VERDICTS.get(chain["policy"] or "")


def drops_anything(chains: Chains, name: str, deepest: int = 16) -> bool:
    """Whether a chain, or one that it calls, drops or rejects some packet."""
    if name not in chains or not deepest:
        return False
    targets = {_value(_split(line), "-j") or "" for line in chains[name]["rules"]}
    return any(
        _VERDICTS.get(target) == DROP or drops_anything(chains, target, deepest - 1) for target in targets
    )


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def _value(words: Sequence[str], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words[:-1] else None


def _matches(words: Sequence[str], packet: Packet) -> bool:
    negated, position = False, 0
    while position < len(words):
        option = words[position]
        if option == "!":
            negated, position = True, position + 1
            continue
        value = words[position + 1] if position + 1 < len(words) else ""
        if option not in _NEUTRAL:
            met = _met(option, value, packet)
            if met is None or met == negated:
                return False
        negated, position = False, position + 2
    return True


def _met(option: str, value: str, packet: Packet) -> bool | None:
    """Whether the condition holds for the packet; None when that depends on what is not known here."""
    if option == "-p":
        return value in (packet.protocol, "all")
    if option in ("--dport", "--dports"):
        return packet.port is not None and any(_in_range(packet.port, part) for part in value.split(","))
    if option == "-i":
        return _interface_met(value, packet.interface)
    if option in ("--ctstate", "--state"):
        return "NEW" in value.split(",")
    if option == "--dst-type":
        return value == "LOCAL"
    return None


def _in_range(port: int, text: str) -> bool:
    first, _unused, last = text.partition(":")
    return int(first or 0) <= port <= int(last or (65535 if ":" in text else first))


def _interface_met(pattern: str, interface: str | None) -> bool:
    if interface is None:
        return not pattern.startswith(_INNER_INTERFACES)
    return interface.startswith(pattern[:-1]) if pattern.endswith("+") else interface == pattern
