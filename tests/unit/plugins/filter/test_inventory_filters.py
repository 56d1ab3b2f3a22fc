# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller believes of a host: its inventory and its resolver, and nothing that the host says."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.bulwark.docker.plugins.filter.certificate_name_problems import (
    certificate_name_problems,
)
from ansible_collections.bulwark.docker.plugins.filter.certificate_register import certificate_register
from ansible_collections.bulwark.docker.plugins.filter.engine_contexts import engine_contexts
from ansible_collections.bulwark.docker.plugins.filter.own_endpoints import own_endpoints
from ansible_collections.bulwark.docker.plugins.filter.resolved_addresses import resolved_addresses
from ansible_collections.bulwark.docker.plugins.filter.told_variables import told_variables
from ansible_collections.bulwark.docker.plugins.filter.unless_told import unless_told
from ansible_collections.bulwark.docker.plugins.plugin_utils.inventory.told import PREFIXES

ROOT = Path(__file__).parents[4]
NAMES = ["DNS:dock1", "DNS:dock1.example", "IP:192.0.2.7", "IP:2001:db8::7"]
LATER = "20991231000000Z"


class HostVars(dict[str, Any]):
    """What Ansible has of the hosts."""

    raw_get = dict.__getitem__


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the resolver of the controller knows, which no test can have from the machine."""
    known = {"dock1": "192.0.2.7", "dock2": "192.0.2.8", "dock2.example": "192.0.2.9"}

    def getaddrinfo(name: str, *_port: Any, **_options: Any) -> list[Any]:
        if name in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[name], 0))]
        if re.fullmatch(r"[0-9.]+", name):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, 0))]
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


# Where a playbook or a role gives something a name. Of arguments of included roles, they are those of the role.
_NAMED = {
    "register": lambda value: [value],
    "loop_var": lambda value: [value],
    "vars": list,
    "ansible.builtin.set_fact": list,
}


def names_in(part: Any) -> set[str]:
    """What is registered, set and defined in a playbook or a file of tasks."""
    if isinstance(part, list):
        return {name for one in part for name in names_in(one)}
    if not isinstance(part, dict):
        return set()
    own = {name for key, value in part.items() if key in _NAMED for name in _NAMED[key](value)}
    return own | {name for value in part.values() for name in names_in(value)}


def test_every_name_of_a_role_or_playbook_is_one_that_no_host_may_tell() -> None:
    """S5: a name with another beginning would be a host's to set. Ansible's own are no facts that count."""
    roles = [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]
    assert [role for role in roles if not f"{role}_".startswith(PREFIXES)] == []
    files = {path: yaml.safe_load(path.read_text()) for path in (ROOT / "roles").glob("*/*/*.yml")}
    files |= {path: yaml.safe_load(path.read_text()) for path in (ROOT / "playbooks").glob("*.yml")}
    names = {name for part in files.values() for name in names_in(part)}
    names |= {
        name for path, part in files.items() if path.parent.name in ("defaults", "vars") for name in part
    }
    names |= {
        name
        for path in (ROOT / "playbooks").glob("*.yml")
        for name in re.findall(r"\b(?:harden|rollback|rotate_tls_ca)_[a-z_]+\b", path.read_text())
    }
    assert {"harden_serial", "__rotate_tls_ca_made", "__tls_client", "daemon_tls_days"} <= names
    assert (
        sorted(name for name in names if not name.startswith("ansible_") and not told_variables([name])) == []
    )


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, []),
        ({"fqdn": "x", "default_ipv4": {}, "harden": 1, "compliance": 1}, []),
        ({"compliance_report_directory": "/x", "os": 1}, ["compliance_report_directory"]),
        ({"__rotate_tls_ca_made": "announce", "__tls_ready": 1}, ["__rotate_tls_ca_made", "__tls_ready"]),
        ({"__daemon_tls_looked_up": []}, ["__daemon_tls_looked_up"]),
        ({"rollback_what": 1, "harden_serial": 1}, ["harden_serial", "rollback_what"]),
    ],
)
def test_facts_that_are_variables(facts: dict[str, Any], told: list[str]) -> None:
    """S5."""
    assert told_variables(facts) == told
    if told:
        with pytest.raises(
            AnsibleFilterError, match=f"the host tells the fact {told[0]}, which is a variable"
        ):
            unless_told("value", facts)
    else:
        assert unless_told("value", facts) == "value"


def test_a_told_name_is_shown_as_visible_text() -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape("harden_<U+001B>[2J")):
        unless_told(1, {"harden_\x1b[2J" + "x" * 1000: 1})


def test_addresses_are_those_that_the_controller_finds(resolver: dict[str, str]) -> None:
    assert resolved_addresses(["dock1", "", None, "192.0.2.9", "nowhere", "a\x00b"]) == [
        "192.0.2.7",
        "192.0.2.9",
    ]


def test_a_name_that_no_resolver_takes_has_no_address() -> None:
    assert resolved_addresses(["a" * 300, "a..b", "\ud800"]) == []


@pytest.mark.parametrize(
    ("names", "host", "problem"),
    [
        (["DNS:dock1", "IP:192.0.2.7"], "dock1", None),
        (["IP:192.0.2.9"], "dock2", None),
        (["DNS:dock2"], "dock1", "DNS:dock2 belongs to dock2 by the inventory"),
        (["DNS:dock2.example"], "dock1", "belongs to dock2 by the inventory"),
        (["DNS:dock3"], "dock1", "DNS:dock3 belongs to dock3.example by the inventory"),
        (["DNS:dock3"], "dock3.example", None),
        (["IP:192.0.2.8"], "dock1", "IP:192.0.2.8 belongs to dock2 by the inventory"),
        (["IP:192.0.2.9"], "dock1", "IP:192.0.2.9 belongs to dock2 by the inventory"),
        (["IP:192.0.2.77"], "dock1", None),
        # Two names of one machine: both may have its address.
        (["IP:192.0.2.8", "IP:192.0.2.9"], "alias", None),
        # However an address is written, and by whatever way it leads there.
        (["IP:::ffff:192.0.2.8"], "dock1", "IP:192.0.2.8 belongs to dock2 by the inventory"),
        (["IP:::FFFF:C000:208%eth0"], "dock1", "IP:192.0.2.8 belongs to dock2 by the inventory"),
        (["IP:64:ff9b::192.0.2.8"], "dock1", "belongs to dock2 by the inventory"),
        (["IP:2002:c000:208::1"], "dock1", "belongs to dock2 by the inventory"),
        (["IP:::192.0.2.8"], "dock1", "belongs to dock2 by the inventory"),
        (["IP:::ffff:0:192.0.2.8"], "dock1", "belongs to dock2 by the inventory"),
        (["IP:64:ff9b::192.0.2.77"], "dock1", None),
        (["DNS:DOCK2."], "dock1", "DNS:dock2 belongs to dock2 by the inventory"),
        # The inventory may leave the domain out, or a part of it.
        (["DNS:dock1.example", "DNS:dock1.example.com"], "dock1", None),
        (["DNS:dock2.example.com"], "dock1", "belongs to dock2 by the inventory"),
        (["DNS:dock2.elsewhere"], "dock1", "belongs to dock2 by the inventory"),
        (["DNS:dock3.example.com"], "dock1", "belongs to dock3.example by the inventory"),
        (["DNS:dock3.elsewhere"], "dock1", None),
        (["DNS:dock22.example"], "dock1", None),
        (["DNS:dock2.example", "DNS:dock2.elsewhere"], "dock2", None),
        (["DNS:dock1.lab.example"], "dock1", "belongs to dock1.lab by the inventory"),
        (["DNS:*.example"], "dock1", "stands for any host"),
        (["DNS:dock2"], "broken", "belongs to dock2 by the inventory"),
    ],
)
def test_a_name_belongs_to_the_host_that_the_inventory_calls_so(
    resolver: dict[str, str], names: list[str], host: str, problem: str | None
) -> None:
    """S4."""
    broken = type("Broken", (dict,), {"get": lambda *_any: 1 / 0})()
    hosts = {
        "dock1": {},
        "dock2": {"ansible_host": "dock2.example"},
        "dock3.example": {},
        "dock1.lab": {},
        "alias": {"ansible_host": "dock2.example"},
        "broken": broken,
    }
    if host == "alias":
        hosts["alias"]["ansible_host"], resolver["alias"] = "dock2.example", "192.0.2.8"
    else:
        del hosts["alias"]
    found = certificate_name_problems(names, "", host, hosts, list(hosts))
    assert (problem is None) is (found == []), found
    assert problem is None or problem in found[0]


def test_a_shared_name_is_not_taken_for_that_of_a_host_that_is_called_alike() -> None:
    """That of a load balancer in front of dock2, as the operator gives it; what the host is called stays its own."""
    hosts: dict[str, Any] = {"dock1": {}, "dock2": {"ansible_host": "192.0.2.8"}}
    names = ["DNS:dock2.example", "DNS:dock2"]
    found = certificate_name_problems(names, "", "dock1", hosts, list(hosts), shared=names)
    assert found == ["DNS:dock2 belongs to dock2 by the inventory"]


@pytest.mark.parametrize("held", ["IP:192.0.2.7", "IP:::ffff:c000:207", "IP:::ffff:192.0.2.7"])
@pytest.mark.parametrize("name", ["IP:192.0.2.7", "IP:::ffff:192.0.2.7", "IP:64:ff9b::c000:207"])
def test_a_register_knows_an_address_however_it_is_written(held: str, name: str) -> None:
    """S4."""
    kept = f"{LATER} own {held} dock1\n"
    hosts: dict[str, Any] = {"dock1": {}, "dock2": {}}
    found = certificate_name_problems([name], kept, "dock2", hosts, list(hosts))
    assert len(found) == 1 and "is in a certificate of dock1 until 2099-12-31" in found[0]
    with pytest.raises(AnsibleFilterError, match="is in a certificate of dock1"):
        certificate_register(kept, "dock2", [name], LATER)


def test_a_name_that_is_twice_in_a_register_is_there_once_with_what_says_more() -> None:
    lines = [
        f"{LATER} own IP:192.0.2.7 dock1",
        "20980101000000Z own IP:192.0.2.7 dock1",
        "20990101000000Z shared IP:::ffff:c000:207 dock1",
    ]
    kept = certificate_register("\n".join(lines), "dock1", [], LATER)
    assert kept.splitlines()[1:] == lines[:1]


def test_a_register_forgets_what_has_ended() -> None:
    """S4."""
    old = f"20200101000000Z own DNS:x dock1\n{LATER} own DNS:y dock1\n"
    kept = certificate_register(old, "dock2", ["DNS:x"], LATER)
    assert kept.splitlines()[1:] == [f"{LATER} own DNS:y dock1", f"{LATER} own DNS:x dock2"]
    with pytest.raises(AnsibleFilterError, match="dock2 may not have these names: DNS:y is in a certificate"):
        certificate_register(old, "dock2", ["DNS:y"], LATER)
    assert certificate_register(kept, "dock2", ["DNS:x"], "20300101000000Z") == kept


@pytest.mark.parametrize(
    "line", ["x", "20990101000000Z own DNS:x", "soon own DNS:x dock1", "20990101000000Z his DNS:x dock1"]
)
def test_a_register_that_cannot_be_read_gives_no_name(line: str) -> None:
    with pytest.raises(AnsibleFilterError, match="line 2 is none of a register"):
        certificate_register(f"# x\n{line}\n", "dock1", ["DNS:x"], LATER)


@pytest.mark.parametrize(
    "endpoint",
    ["tcp://192.0.2.7:2376", "tcp://[2001:db8::7]:2376", "tcp://dock1.example:1", "tcp://DOCK1:65535"],
)
def test_an_endpoint_of_the_host(endpoint: str) -> None:
    assert own_endpoints([endpoint], NAMES) == [endpoint]


@pytest.mark.parametrize(
    "endpoint",
    [
        "tcp://192.0.2.8:2376",
        "tcp://dock2:2376",
        "tcp://192.0.2.7:0",
        "tcp://192.0.2.7:99999",
        "tcp://192.0.2.7:2376,skip-tls-verify=true",
        "tcp://192.0.2.7:2376\n",
        "tcp://192.0.2.7",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
        "tcp://127.0.0.1:2376",
        "tcp://user@192.0.2.7:2376",
        "",
        None,
        7,
        ["tcp://192.0.2.7:2376"],
        "tcp://192.0.2.7:" + "9" * 5000,
    ],
)
def test_an_endpoint_that_leads_elsewhere(endpoint: Any) -> None:
    """What a host says goes into `docker context create` and is asked with the client's certificate."""
    with pytest.raises(AnsibleFilterError, match="the host says that its engine listens on"):
        own_endpoints([endpoint], NAMES)
    contexts = engine_contexts(
        HostVars(
            dock1={
                "daemon_tls_result": {"endpoints": ["tcp://192.0.2.7:2376"]},
                "daemon_tls_known_names": NAMES,
            },
            dock2={"daemon_tls_result": {"endpoints": [endpoint]}, "daemon_tls_known_names": NAMES},
        ),
        ["dock1", "dock2"],
    )
    assert contexts["contexts"] == [{"name": "dock1", "host": "tcp://192.0.2.7:2376"}]
    assert len(contexts["left_out"]) == (endpoint is not None)
    assert all(sentence.startswith("dock2 gets no context, because") for sentence in contexts["left_out"])


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"daemon_tls_result": {"endpoints": []}},
        {"daemon_tls_result": {"endpoints": "tcp://192.0.2.7:2376"}},
        {"daemon_tls_result": "x", "daemon_tls_known_names": NAMES},
    ],
)
def test_a_host_without_an_endpoint_has_no_context(variables: dict[str, Any]) -> None:
    assert engine_contexts(HostVars(dock1=variables), ["dock1"]) == {"contexts": [], "left_out": []}


def test_a_host_that_tells_its_names_itself_has_no_context() -> None:
    told = {"daemon_tls_result": {"endpoints": ["tcp://192.0.2.7:2376"]}, "daemon_tls_known_names": NAMES}
    found = engine_contexts(HostVars({"a b": {**told, "ansible_facts": told}}), ["a b"])
    assert (found["contexts"], len(found["left_out"])) == ([], 1)
    assert engine_contexts(HostVars({"a b": told}), ["a b"])["contexts"][0]["name"] == "a-b"
