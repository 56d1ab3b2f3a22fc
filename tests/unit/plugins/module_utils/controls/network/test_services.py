# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""rpcbind, avahi, systemd's own services, sshd and tcpwrappers."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.network import services

from tests.unit.builders.host import listener, owner, said, snapshot, unit
from tests.unit.builders.judging import changed, finding

BY_ID = {control.id: control for control in services.SWITCHED_OFF}
LOOPBACK = {"address": "127.0.0.1", "scope": "loopback"}
HIDDEN = {"owners": {"error": "run as root"}, "unit": None, "package": None}
# Edge cases 99 and 105: only systemd holds the socket while the service is stopped.
BY_SYSTEMD = {"owners": [owner("systemd", pid=1, unit="init.scope")], "package": "rpcbind"}
INACTIVE = {"active": "inactive", "sub": "dead"}


def host_with(*sockets, **units):
    named = {name.replace("__", "."): fields for name, fields in units.items()}
    return snapshot({"listeners": list(sockets), "units": named})


@pytest.mark.parametrize(
    ("control_id", "data", "expected"),
    [
        ("listener.rpcbind", host_with(), "pass"),
        ("listener.rpcbind", host_with(listener("rpcbind", 111)), "fail"),
        ("listener.rpcbind", host_with(listener("rpcbind", 111, protocol="udp")), "fail"),
        (
            "listener.rpcbind",
            host_with(listener("systemd", 111, unit="rpcbind.socket", **BY_SYSTEMD)),
            "fail",
        ),
        ("listener.rpcbind", host_with(rpcbind__socket=unit("rpcbind.socket", **INACTIVE)), "fail"),
        (
            "listener.rpcbind",
            host_with(rpcbind__socket=unit("rpcbind.socket", enabled="masked", **INACTIVE)),
            "pass",
        ),
        (
            "listener.rpcbind",
            host_with(rpcbind__socket=unit("rpcbind.socket", enabled="disabled", **INACTIVE)),
            "pass",
        ),
        ("listener.rpcbind", host_with(listener("", 111, **HIDDEN)), "unknown"),
        ("listener.rpcbind", host_with(listener("", 8000, **HIDDEN)), "pass"),
        ("listener.rpcbind", snapshot({"units": {"error": "systemctl hangs"}}), "unknown"),
        ("listener.avahi", host_with(), "pass"),
        ("listener.avahi", host_with(listener("avahi-daemon", 5353, protocol="udp")), "fail"),
        ("listener.avahi", snapshot({"units": {"avahi-daemon.socket": unit("avahi-daemon.socket")}}), "fail"),
        ("listener.avahi", host_with(listener("chromium", 5353, protocol="udp")), "pass"),
        ("listener.avahi", host_with(listener("", 5353, protocol="udp", **HIDDEN)), "unknown"),
    ],
)
def test_services_that_should_be_off(control_id, data, expected):
    assert finding(BY_ID[control_id], data)["verdict"] == expected


RESOLVED = {"unit": "systemd-resolved.service", "package": "systemd-resolved"}


@pytest.mark.parametrize(
    ("socket", "expected"),
    [
        (listener("sshd", 22), "pass"),
        (listener("systemd-resolve", 5355, **RESOLVED), "fail"),
        (listener("systemd-resolve", 5355, protocol="udp", **RESOLVED), "fail"),
        (listener("systemd-resolve", 53, **RESOLVED, address="127.0.0.53", scope="loopback"), "pass"),
        (listener("systemd-resolve", 53, **RESOLVED, address="192.0.2.1", scope="specific"), "fail"),
        (
            listener(
                "systemd", 19532, unit="systemd-journal-remote.socket", owners=[owner("systemd", pid=1)]
            ),
            "fail",
        ),
        (listener("systemd-network", 68, protocol="udp", unit="systemd-networkd.service"), "pass"),
        (listener("systemd-network", 58, protocol="raw", unit="systemd-networkd.service"), "pass"),
        (listener("", 5355, **HIDDEN), "unknown"),
        (listener("", 8000, **HIDDEN), "pass"),
    ],
)
def test_systemd_s_own_services(socket, expected):
    assert finding(services.systemd_services, snapshot({"listeners": [socket]}))["verdict"] == expected


def test_llmnr_may_be_declared():
    data = snapshot({"listeners": [listener("systemd-resolve", 5355, **RESOLVED)]})
    assert "LLMNR=no" in said(finding(services.systemd_services, data))
    assert finding(services.systemd_services, data, allow=[{"port": 5355}])["verdict"] == "pass"


SSHD = listener("sshd", 22)


def sshd(settings, *sockets):
    data = snapshot({"listeners": list(sockets)})
    data["sshd"] = {"settings": settings, "matches": []}
    return data


KEYS_ONLY = {"passwordauthentication": ["no"], "kbdinteractiveauthentication": ["no"]}


@pytest.mark.parametrize(
    ("settings", "actual"),
    [
        (KEYS_ONLY, []),
        ({**KEYS_ONLY, "permitrootlogin": ["no", "yes"]}, []),
        ({**KEYS_ONLY, "permitrootlogin": ["yes"]}, ["permitrootlogin yes"]),
        ({**KEYS_ONLY, "permitrootlogin": ["Prohibit-Password"]}, []),
        ({"kbdinteractiveauthentication": ["no"]}, ["passwordauthentication yes"]),
        ({**KEYS_ONLY, "permitemptypasswords": ["yes"]}, ["permitemptypasswords yes"]),
        ({"passwordauthentication": ["no"], "usepam": ["yes"]}, ["kbdinteractiveauthentication yes"]),
        ({"passwordauthentication": ["no"], "usepam": ["no"]}, []),
        (
            {"passwordauthentication": ["no"], "usepam": ["yes"], "challengeresponseauthentication": ["no"]},
            [],
        ),
    ],
)
def test_sshd_takes_keys_only(settings, actual):
    found = finding(services.sshd, sshd(settings, SSHD))
    assert [subject["actual"] for subject in found["subjects"]] == actual
    assert found["verdict"] == ("fail" if actual else "pass")


def test_sshd_unread_or_not_listening():
    unread = changed(sshd({}, SSHD), {"sshd": {"error": "/etc/ssh/sshd_config: Permission denied"}})
    assert finding(services.sshd, unread)["verdict"] == "unknown"
    assert finding(services.sshd, sshd(KEYS_ONLY, listener("", 22, **HIDDEN)))["verdict"] == "unknown"
    other = changed(sshd({}, listener("dropbear", 22)), {"sshd": None})
    assert finding(services.sshd, other)["verdict"] == "unknown"
    by_socket = listener("systemd", 22, unit="ssh.socket", owners=[owner("systemd", pid=1)])
    assert finding(services.sshd, sshd({}, by_socket))["verdict"] == "fail"
    assert finding(services.sshd, sshd({}))["verdict"] == "pass"
    assert finding(services.sshd, sshd({}, listener("sshd", 22, **LOOPBACK)))["verdict"] == "pass"


@pytest.mark.parametrize(
    ("access", "packages", "expected"),
    [
        ({"allow": None, "deny": None}, {}, "pass"),
        ({"allow": [], "deny": []}, {}, "pass"),
        ({"allow": ["sshd: 10."], "deny": ["ALL: ALL"]}, {}, "fail"),
        ({"allow": None, "deny": ["ALL: ALL"]}, {"libwrap0t64": "7.6.q"}, "pass"),
        ({"allow": {"error": "x"}, "deny": None}, {}, "unknown"),
    ],
)
def test_wrapper_rules(access, packages, expected):
    data = snapshot({"hosts_access": access, "host": {"packages": {"installed": packages}}})
    assert finding(services.wrapper_rules_obeyed, data)["verdict"] == expected
