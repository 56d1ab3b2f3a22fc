# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter as the kernel has it, and the managers that fill it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable, attempt
from ansible_collections.bulwark.docker.plugins.module_utils.base.limits import find, run
from ansible_collections.bulwark.docker.plugins.module_utils.base.reading import kernel_text, text

_SECONDS = 20
# Root's rules; hosts with thousands of them exist.
_NFT_LIMIT = 64 * 1024 * 1024

Tables = dict[str, dict[str, dict[str, Any]]]


def firewall(root: Path = Path("/")) -> dict[str, Any]:
    """All of snapshot["firewall"] (docs/snapshot.md)."""
    iptables = attempt(_saved, "iptables-save")
    return {
        "iptables": iptables,
        "ip6tables": attempt(_saved, "ip6tables-save"),
        "nftables": attempt(_nftables),
        "ufw": attempt(_ufw, iptables, root),
        "firewalld": attempt(_firewalld, root),
    }


def tables(saved: str) -> Tables:
    """What iptables-save wrote: {table: {chain: {policy, rules}}}; a chain of one's own has no policy.

    A chain that comes twice is one of nftables and one of the legacy tables; a packet meets both.
    """
    found: Tables = {}
    chains: dict[str, dict[str, Any]] = {}
    for line in saved.splitlines():
        if line.startswith("*"):
            chains = found.setdefault(line[1:], {})
        elif line.startswith(":"):
            name, policy = line[1:].split(" ")[:2]
            chain = chains.setdefault(name, {"policy": None, "rules": []})
            if policy != "-" and chain["policy"] != "DROP":
                chain["policy"] = policy
        elif line.startswith("-A "):
            chains[line.split(" ", 2)[1]]["rules"].append(line)
    return found


def base_chains(listed: str) -> list[dict[str, Any]]:
    """The chains that the kernel calls by itself, of what `nft -j list ruleset` wrote."""
    entries = foreign_json.loads(listed, "what nft lists", _NFT_LIMIT)["nftables"]
    rules = Counter(_place(entry["rule"], "chain") for entry in entries if "rule" in entry)
    chains = [entry["chain"] for entry in entries if "hook" in entry.get("chain", ())]
    return sorted(
        (
            {
                "family": chain["family"],
                "table": chain["table"],
                "chain": chain["name"],
                "hook": chain["hook"],
                "policy": chain.get("policy"),
                "rules": rules[_place(chain, "name")],
            }
            for chain in chains
        ),
        key=lambda chain: _place(chain, "chain"),
    )


def _place(entry: dict[str, Any], chain: str) -> tuple[str, str, str]:
    return entry["family"], entry["table"], entry[chain]


def _saved(program: str) -> Tables | None:
    """Both kinds of tables, where the program of one kind says that the other is in use."""
    if not find(program):
        return None
    saved, warnings = _written([program])
    legacy = program.replace("-", "-legacy-")
    if "legacy tables present" in saved + warnings and find(legacy):
        saved += _written([legacy])[0]
    return tables(saved)


def _nftables() -> list[dict[str, Any]] | None:
    """Without the elements of sets (-t), of which a host that bans addresses has many thousands."""
    return base_chains(_written(["nft", "-j", "-t", "list", "ruleset"])[0]) if find("nft") else None


def _written(argv: list[str]) -> tuple[str, str]:
    ended = run(argv, _SECONDS)
    if ended.status:
        reason = ended.err.strip().splitlines()
        raise Unreadable(f"{argv[0]}: {reason[0] if reason else f'ended with status {ended.status}'}")
    return ended.out, ended.err


def _ufw(iptables: Any, root: Path) -> str | None:
    """Enabled in its file, and its chains are in the kernel where that could be read."""
    settings = text(root / "etc/ufw/ufw.conf")
    if settings is None:
        return None
    enabled = re.search(r"^[ \t]*ENABLED[ \t]*=[ \t]*[\"']?yes", settings, re.IGNORECASE | re.MULTILINE)
    chains = (iptables or {}).get("filter", {})
    loaded = "ufw-user-input" in chains or not chains
    return "active" if enabled and loaded else "inactive"


def _firewalld(root: Path) -> str | None:
    """Its unit has processes; systemd starts it without a pid file."""
    if not any((root / path).exists() for path in ("usr/sbin/firewalld", "usr/bin/firewalld")):
        return None
    groups = (
        root / f"sys/fs/cgroup/{tree}/system.slice/firewalld.service" for tree in (".", "systemd", "unified")
    )
    running = any(kernel_text(group / "cgroup.procs") for group in groups)
    return "running" if running or (root / "run/firewalld.pid").exists() else "not running"
