# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each listener, and what is left alone whatever the rules say. Numbers are those of the edge cases."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import decisions
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.decisions import (
    Decision,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.protected import (
    Protected,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.rules import parse

from tests.unit.builders.host import container, listener, owner, unit

TODAY = date(2026, 11, 27)
WEB = "ab" * 32
LOOPBACK = {"address": "127.0.0.1", "scope": "loopback"}
SYSTEMD = owner("systemd", pid=1, unit=None)
HIDDEN = {"owners": {"error": "run as root"}, "unit": None, "package": None}
UNITS = {
    "rpcbind.socket": unit("rpcbind.socket", triggers=["rpcbind.service"]),
    "api.socket": unit("api.socket", triggers=["docker.service"]),
    "shell.socket": unit("shell.socket", triggers=["ssh.service"]),
}
SSHD = listener("sshd", 22, unit="ssh.service", owners=[owner("sshd", unit="ssh.service")])
RPCBIND = listener("rpcbind", 111, unit="rpcbind.socket", owners=[SYSTEMD])
RESOLVED = listener("systemd-resolve", 5355, unit="systemd-resolved.service", package="systemd-resolved")
NGINX = listener("nginx", 80)
PUBLISHED: dict[str, Any] = {
    "container": WEB,
    "unit": None,
    "package": None,
    "owners": [owner("docker-proxy", unit="docker.service")],
    "forwards": {"container_port": 80, "address": "172.17.0.2"},
}
NO_PLAY = Protected()


def snapshot(*sockets: dict[str, Any]) -> dict[str, Any]:
    engine = {"unit": "docker.service", "containers": [container("web", id=WEB)]}
    return {"listeners": list(sockets), "units": UNITS, "engines": [engine]}


def decide(*sockets: dict[str, Any], action: str = "disable", play: Protected = NO_PLAY, **options: Any):
    return decisions.decide(snapshot(*sockets), parse(options), action, play, TODAY)


def decision(socket: dict[str, Any], **more: Any) -> Decision:
    (found,) = decide(socket, **more)
    return found


def refusals(*sockets: dict[str, Any], action: str = "disable", play: Protected = NO_PLAY, **options: Any):
    rules = parse(options)
    found = decisions.decide(snapshot(*sockets), rules, action, play, TODAY)
    return decisions.refused(found, rules, snapshot(*sockets), play, action)


@pytest.mark.parametrize(
    ("socket", "verb"),
    [
        (NGINX, "disable"),
        # 105: it is systemd's alone, and the unit to act on is known.
        (RPCBIND, "disable"),
        # 110
        (listener("avahi-daemon", 5353, protocol="udp"), "disable"),
        (listener("node_exporter", 9100), "report"),
        (listener("nginx", 80, address="192.0.2.1", scope="specific"), "disable"),
        (SSHD, "protected"),
        (listener("ssh", 22, unit="ssh.socket", owners=[SYSTEMD]), "protected"),
        (listener("ssh", 2222, unit="shell.socket", owners=[SYSTEMD]), "protected"),
        (listener("dockerd", 2375, unit="docker.service"), "protected"),
        (listener("docker", 2375, unit="api.socket", owners=[SYSTEMD]), "protected"),
        (listener("dockerd", 2375, unit="docker.service", **LOOPBACK), None),
        (listener("podman", 8080, unit="podman.socket", owners=[SYSTEMD]), "protected"),
        (RESOLVED, "protected"),
        (listener("systemd-network", 68, protocol="udp", unit="systemd-networkd.service"), "protected"),
        (listener("dhclient", 68, protocol="udp", unit="networking.service"), "protected"),
        (listener("NetworkManager", 58, protocol="raw"), "protected"),
        (listener("chronyd", 123, protocol="udp", unit="chrony.service"), "protected"),
        # The table of known services has it as a server; a client cannot be told from one.
        (listener("ntpd", 123, protocol="udp", unit="ntpsec.service"), "protected"),
        (listener("docker-registry", 5000), "report"),
        (listener("", 80, **PUBLISHED), "container"),
        # Without its engine's answer nobody knows whose it is.
        (listener("", 80, **{**PUBLISHED, "container": None}), "protected"),
        (listener("nginx", 80, container=WEB, unit=None), "container"),
        # The kernel's own.
        (listener("", 2049, owners=[], unit=None, package=None), "unattributed"),
        (listener("", 9999, owners=[SYSTEMD], unit=None, package=None), "unattributed"),
        (listener("nginx", 80, **LOOPBACK), None),
    ],
)
def test_what_becomes_of_a_listener_without_rules(socket, verb):
    assert [each.verb for each in decide(socket)] == ([verb] if verb else [])


@pytest.mark.parametrize("action", ["report", "stop", "disable", "mask"])
def test_the_action_is_what_becomes_of_the_denied(action):
    found = decision(RPCBIND, action=action)
    assert (found.verb, found.unit) == (action, "rpcbind.socket")
    assert found.rule.startswith("rpcbind: tells anybody")
    assert found.questions["stop"] == f"Yes: {found.rule}."


def test_known_services_are_denied_only_where_the_option_says_so():
    assert decision(NGINX, deny_known=False).verb == "report"
    assert decision(NGINX, deny_known=False, deny=[{"port": 80}]).verb == "disable"


def test_allow_wins_over_the_known_services():
    found = decision(NGINX, allow=[{"unit": "nginx.service", "port": 80}])
    assert (found.verb, found.rule) == ("allow", "allow[0] (unit nginx.service, port 80)")


def test_allow_and_deny_of_one_listener_contradict_each_other():
    with pytest.raises(Unfit) as problem:
        decide(NGINX, allow=[{"port": 80}], deny=[{"unit": "nginx.*"}])
    assert str(problem.value) == (
        "tcp 0.0.0.0:80 is named by allow[0] (port 80) and deny[0] (unit nginx.*): narrow one of them"
    )


def test_a_unit_that_serves_what_is_allowed_is_not_stopped():
    other = {**NGINX, "port": 81}
    assert [each.verb for each in decide(NGINX, other, allow=[{"port": 80}])] == ["allow", "report"]
    with pytest.raises(Unfit, match=r"deny\[0\] \(port 81\) would stop nginx.service, which allow\[0\]"):
        decide(NGINX, other, allow=[{"port": 80}], deny=[{"port": 81}])


def test_loopback_is_denied_by_an_explicit_rule_alone():
    socket = listener("nginx", 80, **LOOPBACK)
    assert decision(socket, deny=[{"unit": "nginx.service"}]).verb == "disable"
    assert decide(socket) == []


def test_103_secure_shell_in_the_deny_list_is_refused():
    found = refusals(SSHD, deny=[{"unit": "ssh.service"}])
    assert found == [
        {
            "message": "deny[0] (unit ssh.service) means ssh.service, which is left alone: the host is administered "
            "by it",
            "consent": "listening_services_allow_ssh",
            "control": "listener.sshd",
        }
    ]


@pytest.mark.parametrize(
    ("rule", "verb", "count"),
    [
        ({"unit": "ssh.service"}, "disable", 0),
        ({"process": "sshd"}, "disable", 0),
        # Who writes a pattern or a port may not have thought of it.
        ({"unit": "ssh*"}, "protected", 1),
        ({"port": 22}, "protected", 1),
        ({"address": "wildcard"}, "protected", 0),
    ],
)
def test_103_secure_shell_may_be_stopped_only_by_its_name(rule, verb, count):
    assert decision(SSHD, deny=[rule], allow_ssh=True).verb == verb
    assert len(refusals(SSHD, deny=[rule], allow_ssh=True)) == count


def test_103_the_way_of_the_play_is_never_stopped():
    by_process, by_unit = Protected(frozenset((700,))), Protected(units=frozenset(("ssh.service",)))
    for play in (by_process, by_unit):
        (refusal,) = refusals(SSHD, play=play, deny=[{"unit": "ssh.service"}], allow_ssh=True)
        assert (refusal["consent"], refusal["message"].endswith("the play itself came by it")) == (None, True)


def test_a_report_refuses_no_deny():
    assert refusals(SSHD, action="report", deny=[{"unit": "ssh.service"}]) == []


def test_what_a_broad_rule_cannot_stop_is_left_alone():
    found = decide(SSHD, NGINX, listener("", 8080, **PUBLISHED), deny=[{"address": "wildcard"}])
    assert [each.verb for each in found] == ["protected", "disable", "container"]
    assert decisions.left_alone(found) == [
        {"key": "tcp 0.0.0.0:22", "reason": "the host is administered by it"},
        {"key": "tcp 0.0.0.0:8080", "reason": "it belongs to the container web"},
    ]


@pytest.mark.parametrize(
    "name", ["docker.service", "systemd-resolved.service", "networking.service", "dbus.socket"]
)
def test_what_the_host_needs_is_refused_even_when_it_does_not_listen(name):
    (refusal,) = refusals(deny=[{"unit": name}])
    assert refusal["message"].startswith(f"deny[0] (unit {name}) means {name}, which is left alone")


def test_106_a_deleted_program_is_told():
    old = listener("nginx", 80, owners=[owner("nginx", deleted=True)])
    assert "nginx runs a program that was removed or replaced since" in decision(old).questions["reviewed"]


def test_107_a_process_outside_of_units_is_reported_only():
    socket = listener("python3", 8000, unit=None, owners=[owner("python3", unit=None)])
    found = decision(socket, deny=[{"port": 8000}])
    assert (found.verb, found.left, found.refusal) == ("report", True, None)
    assert found.questions["stop"] == "Not by its unit: python3, process 700, runs outside of service units."


def test_109_dual_stack_is_told_apart():
    dual = listener("nginx", 80, family=6, address="::", v6only=False)
    both, one = decide(dual, {**dual, "v6only": True})
    assert both.questions["localhost"].startswith("tcp [::]:80 means all addresses, of IPv4 too;")
    assert one.questions["localhost"].startswith("tcp [::]:80 means all addresses;")


def test_113_without_root_nothing_is_decided_about_unknown_owners():
    found = decide(listener("", 80, **HIDDEN), listener("", 111, **{**HIDDEN, "unit": "rpcbind.socket"}))
    assert [(each.verb, each.rule) for each in found] == [
        ("unattributed", "whose it is cannot be read: run as root")
    ] * 2
    assert decision(listener("", 80, **HIDDEN), allow=[{"port": 80}]).verb == "allow"


def test_a_socket_is_bound_elsewhere_though_known_or_allowed():
    rebind = [{"unit": "rpcbind.socket", "listen": ["127.0.0.1:111"]}]
    assert decision(RPCBIND, rebind=rebind).verb == "rebind"
    found = decision(RPCBIND, rebind=rebind, allow=[{"port": 111}])
    assert (found.verb, found.rule) == ("rebind", "rebind[0] (rpcbind.socket)")
    with pytest.raises(Unfit, match=r"rebind\[0\] \(rpcbind.socket\) and deny\[0\]"):
        decide(RPCBIND, rebind=rebind, deny=[{"port": 111}])


def test_what_is_restricted_goes_on():
    assert decision(NGINX, restrict=[{"unit": "nginx.service", "allow": ["192.0.2.0/24"]}]).verb == "restrict"


def test_the_resolver_may_be_told_to_leave_the_link_alone():
    rebind = [{"unit": "systemd-resolved.service", "llmnr": False}]
    mdns = {**RESOLVED, "port": 5353}
    assert [each.verb for each in decide(RESOLVED, mdns, rebind=rebind)] == ["rebind", "protected"]
    assert refusals(RESOLVED, rebind=rebind) == []
    restrict = [{"unit": "systemd-resolved.service", "allow": []}]
    assert len(refusals(RESOLVED, restrict=restrict)) == 1


@pytest.mark.parametrize(("allow_ssh", "count"), [(False, 1), (True, 0)])
def test_secure_shell_is_bound_elsewhere_with_consent(allow_ssh, count):
    rebind = [{"unit": "ssh.socket", "listen": ["192.0.2.1:22"]}]
    assert len(refusals(rebind=rebind, allow_ssh=allow_ssh)) == count


@pytest.mark.parametrize(
    ("socket", "question", "told"),
    [
        (RPCBIND, "localhost", "tcp 0.0.0.0:111 means all addresses; rebind binds rpcbind.socket to others."),
        (RESOLVED, "localhost", "tcp 0.0.0.0:5355 means all addresses; rebind with llmnr: false closes it."),
        (NGINX, "localhost", "tcp 0.0.0.0:80 means all addresses; its own configuration may name another."),
        (listener("", 80, **PUBLISHED), "localhost",
         "tcp 0.0.0.0:80 means all addresses; publish the port on 127.0.0.1 when the container is made anew."),
        (listener("", 80, **PUBLISHED), "stop", "Only with its container web."),
        (listener("", 80, **PUBLISHED), "restrict",
         "By the chain DOCKER-USER of the packet filter; published ports bypass INPUT."),
        (SSHD, "stop", "No: the host is administered by it."),
        (SSHD, "authentication", "It has its own, judged by the control listener.sshd."),
        (RPCBIND, "authentication", "It has none, or one that is worth nothing."),
        (listener("redis", 6379), "authentication", "It is off until somebody sets it up; it was not asked."),
        (listener("x", 9), "authentication", "It is not known to this collection; see its documentation."),
        (listener("x", 9), "stop", "Not decided: no rule names it."),
        (NGINX, "restrict",
         "Nothing is set; restrict gives nginx.service IPAddressDeny= and IPAddressAllow=, or the packet filter "
         "does it."),
        (SSHD, "restrict", "By the packet filter."),
        (NGINX, "reviewed", "No review of its documentation and known flaws is on record."),
    ],
)  # fmt: skip
def test_the_questions(socket, question, told):
    assert decision(socket).questions[question] == told


def test_a_unit_may_be_restricted_already():
    units = {"nginx.service": unit("nginx.service", ip_address_deny=["::/0", "0.0.0.0/0"])}
    rules = parse({})
    (found,) = decisions.decide({**snapshot(NGINX), "units": units}, rules, "report", NO_PLAY, TODAY)
    assert found.questions["restrict"] == "Its unit has IPAddressDeny=::/0 0.0.0.0/0."


@pytest.mark.parametrize(
    ("reviewed", "told"),
    [
        ("2025-11-27", "Documentation and known flaws were reviewed on 2025-11-27."),
        ("2025-11-26", "The review of 2025-11-26 is older than 365 days and does not count."),
        ("2026-11-28", "The review is of 2026-11-28, which is to come, and does not count."),
    ],
)
def test_a_review_lasts_a_year(reviewed, told):
    found = decision(NGINX, allow=[{"port": 80, "reviewed": reviewed}])
    assert (found.verb, found.questions["reviewed"]) == ("allow", told)


def test_what_is_told():
    (told,) = decisions.told(decide(NGINX))
    assert {key: told[key] for key in ("listener", "unit", "decision", "rule")} == {
        "listener": "tcp 0.0.0.0:80",
        "unit": "nginx.service",
        "decision": "disable",
        "rule": "web server: belongs into a container (deny_known)",
    }
    assert set(told) > {"stop", "localhost", "authentication", "restrict", "reviewed"}


def test_units_and_engines_that_cannot_be_read_are_no_failure():
    unread = {"listeners": [NGINX], "units": {"error": "systemctl"}, "engines": {"error": "denied"}}
    (found,) = decisions.decide(unread, parse({}), "report", NO_PLAY, TODAY)
    assert found.verb == "report"
