# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From where the engine listens to where it should: unit files, socket units, `hosts`; one row for each way in."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import transport
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.transport import (
    DROP_IN,
    NONE,
    SOCKET_UNIT,
    UNIT_FILE,
    Impossible,
    Way,
    Wish,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import command_line
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import TCP_SOCKET
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps

SERVICE = "docker.service"
FRAGMENT = f"/lib/systemd/system/{SERVICE}"
OURS = f"/etc/systemd/system/{SERVICE}.d/zz-bulwark-tls.conf"
OF_SOCKET = "/etc/systemd/system/docker.socket.d/zz-bulwark-tls.conf"
HEAD = "# Written by bulwark.docker.daemon_tls.\n"
WAIT = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n\n"
DEFAULT = "unix:///var/run/docker.sock"
WISHES = {
    "unit": Wish(SOCKET_UNIT, ["192.0.2.1"], 2376),
    "drop-in": Wish(DROP_IN, ["192.0.2.1"], 2376),
    "none": Wish(NONE, [], 2376),
}


def socket(*addresses: str, active: bool = True, enabled: str = "enabled", **more: Any) -> dict[str, Any]:
    """A socket unit of the service, as units.units() shows it."""
    return {
        "load": "loaded",
        "active": "active" if active else "inactive",
        "enabled": enabled,
        "triggers": [SERVICE],
        "listens": [{"type": "Stream", "address": address} for address in addresses],
        "drop_ins": [],
        **more,
    }


VENDORS = {"docker.socket": socket("/run/docker.sock")}


def way(
    tmp_path,
    start: str,
    wish: str = "unit",
    hosts: list[str] | None = None,
    units: dict[str, Any] | None = None,
    variables: str = "",
) -> Way:
    """What leads from a unit with that command to the wish; `variables` are those of /etc/default/docker."""
    for path, text in (
        (FRAGMENT, f"[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart={start}\n"),
        ("/etc/default/docker", variables),
    ):
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    command = command_line.read({"fragment": FRAGMENT, "drop_ins": []}, ROOT.owner, tmp_path)
    return transport.way(WISHES[wish], SERVICE, command, VENDORS if units is None else units, hosts)


def command_of(found: Way) -> str | None:
    """The command of our drop-in, None where there is none."""
    text = found.files[OURS]
    if text is None:
        return None
    head, _separator, command = text.rpartition("ExecStart=")
    assert head in (f"{HEAD}[Service]\nExecStart=\n", f"{HEAD}{WAIT}[Service]\nExecStart=\n")
    return command.rstrip("\n")


@pytest.mark.parametrize(
    ("addresses", "endpoints"),
    [
        (["192.0.2.1", "2001:db8::1"], ["192.0.2.1:2376", "[2001:db8::1]:2376"]),
        ([], []),
    ],
)
def test_end_points(addresses, endpoints):
    assert Wish(SOCKET_UNIT, addresses, 2376).endpoints == endpoints


@pytest.mark.parametrize(
    ("host", "is_tcp"),
    [
        ("tcp://127.0.0.1", True),
        ("0.0.0.0:2375", True),
        (":2375", True),
        ("fd://", False),
        ("fd://docker.socket", False),
        ("unix:///run/docker.sock", False),
    ],
)
def test_what_is_a_tcp_address(host, is_tcp):
    assert transport.is_tcp(host) is is_tcp


@pytest.mark.parametrize(
    ("start", "wish", "expected"),
    [
        # As Debian has it.
        ("dockerd -H fd:// $DOCKER_OPTS", "unit", None),
        ("dockerd -H fd:// $DOCKER_OPTS", "none", None),
        (
            "dockerd -H fd:// $DOCKER_OPTS",
            "drop-in",
            "dockerd -H fd:// $DOCKER_OPTS -H tcp://192.0.2.1:2376",
        ),
        # Every form of an address.
        ("dockerd -H fd:// -H tcp://0.0.0.0:2375", "unit", "dockerd -H fd://"),
        ("dockerd -H fd:// -Htcp://0.0.0.0:2375 -D", "unit", "dockerd -H fd:// -D"),
        ("dockerd -H fd:// -H=tcp://0.0.0.0:2375", "unit", "dockerd -H fd://"),
        ("dockerd -H fd:// --host tcp://0.0.0.0:2375 --icc=false", "unit", "dockerd -H fd:// --icc=false"),
        ("dockerd --host=0.0.0.0:2375 --host=fd://", "none", "dockerd --host=fd://"),
        ("dockerd -DH tcp://0.0.0.0:2375 -H fd://", "unit", Impossible),
        ("dockerd -DHtcp://0.0.0.0:2375 -H fd://", "unit", Impossible),
        ("dockerd -DH fd:// -H tcp://0.0.0.0:2375", "unit", "dockerd -DH fd://"),
        # The flags of TLS stand in daemon.json afterwards, and dockerd takes no option from both.
        (
            "dockerd -H fd:// --tlsverify --tlscacert /ca.pem --tlscert=/cert.pem --tlskey /key.pem --tls=false -D",
            "unit",
            "dockerd -H fd:// -D",
        ),
        ("dockerd --tlsverify -H fd://", "none", "dockerd -H fd://"),
        (
            "dockerd -H fd:// -H tcp://:2375",
            "drop-in",
            "dockerd -H fd:// -H tcp://192.0.2.1:2376",
        ),
        # A socket that systemd hands over is taken by fd:// alone, and there is always a local address.
        ("dockerd", "unit", f"dockerd -H fd:// -H {DEFAULT}"),
        ("dockerd", "none", None),
        ("dockerd", "drop-in", f"dockerd -H {DEFAULT} -H tcp://192.0.2.1:2376"),
        ("dockerd -H tcp://:2375", "unit", "dockerd -H fd://"),
        ("dockerd -H tcp://:2375", "none", "dockerd -H fd://"),
        ("dockerd -H tcp://:2375 -H unix:///srv/d.sock", "none", "dockerd -H unix:///srv/d.sock"),
        ("dockerd -H unix:///srv/d.sock", "unit", "dockerd -H unix:///srv/d.sock -H fd://"),
        # As systemd reads the words.
        ("-/usr/bin/dockerd -H fd:// -H tcp://:2375", "unit", "-/usr/bin/dockerd -H fd://"),
        ("@/usr/bin/dockerd docker -H fd:// -H tcp://:2375", "unit", "/usr/bin/dockerd -H fd://"),
        ("snap run docker.dockerd -H fd:// -H tcp://:2375", "unit", "snap run docker.dockerd -H fd://"),
        (
            "dockerd -H fd:// -H tcp://:2375 --label 'a=b c' --label a=$$5 --label=a=50%% --label ''",
            "unit",
            'dockerd -H fd:// --label "a=b c" --label a=$$5 --label=a=50%% --label ""',
        ),
        (
            "dockerd -H fd:// -H tcp://:2375 --label 'say \"a\\\\b\"' --label \\;",
            "unit",
            'dockerd -H fd:// --label "say \\"a\\\\b\\"" --label ";"',
        ),
    ],
)
def test_the_command(tmp_path, start, wish, expected):
    if expected is Impossible:
        with pytest.raises(Impossible, match="write each as -H tcp://ADDRESS:PORT") as raised:
            way(tmp_path, start, wish)
        assert FRAGMENT in raised.value.sentence
        return
    found = way(tmp_path, start, wish)
    assert command_of(found) == expected
    assert (expected is not None and WAIT in (found.files[OURS] or "")) is (wish == "drop-in")
    assert (found.hosts, found.notices) == (None, [])


@pytest.mark.parametrize(
    ("start", "wish", "expected"),
    [
        ("dockerd", "unit", f"dockerd -H fd:// -H {DEFAULT}"),
        ("dockerd", "drop-in", f"dockerd -H {DEFAULT} -H tcp://192.0.2.1:2376"),
        ("dockerd -H tcp://:2375", "unit", f"dockerd -H fd:// -H {DEFAULT}"),
        ("dockerd -H tcp://:2375", "none", "dockerd"),
    ],
)
def test_the_command_without_docker_socket(tmp_path, start, wish, expected):
    assert command_of(way(tmp_path, start, wish, units={})) == expected


def test_specifiers_in_a_command_that_changes(tmp_path):
    start = "dockerd -H fd:// --label=host=%H --label=a=50%%"
    with pytest.raises(Impossible, match="has specifiers"):
        way(tmp_path, f"{start} -H tcp://:2375")
    assert command_of(way(tmp_path, start, "drop-in")) == f"{start} -H tcp://192.0.2.1:2376"


def test_variables_of_a_command_that_changes(tmp_path):
    start = "dockerd -H fd:// $DOCKER_OPTS --label=${OTHER}"
    found = way(tmp_path, start, variables="DOCKER_OPTS=\"-H tcp://:2375 --label 'a=b c'\"\nOTHER=a\\$HOME\n")
    assert command_of(found) == 'dockerd -H fd:// --label "a=b c" --label=a$$HOME'
    (notice,) = found.notices
    assert f"{FRAGMENT} via DOCKER_OPTS in /etc/default/docker" in notice
    unchanged = way(tmp_path, start, variables="DOCKER_OPTS=-D\n")
    assert (command_of(unchanged), unchanged.notices) == (None, [])


@pytest.mark.parametrize(
    ("hosts", "wish", "units", "expected"),
    [
        (["fd://", "tcp://:2375"], "unit", VENDORS, ["fd://"]),
        ([DEFAULT, "tcp://:2375"], "unit", VENDORS, ["fd://", DEFAULT]),
        ([DEFAULT, "tcp://:2375"], "none", VENDORS, [DEFAULT]),
        (["tcp://:2375"], "unit", VENDORS, ["fd://"]),
        (["0.0.0.0:2375"], "none", VENDORS, ["fd://"]),
        (["tcp://:2375"], "none", {}, [DEFAULT]),
        (["tcp://:2375"], "unit", {}, ["fd://", DEFAULT]),
        (["unix:///srv/d.sock"], "unit", {}, ["fd://", "unix:///srv/d.sock"]),
    ],
)
def test_hosts_of_daemon_json(tmp_path, hosts, wish, units, expected):
    found = way(tmp_path, "dockerd", wish, hosts, units)
    assert (found.hosts, command_of(found)) == (expected, None)


def test_hosts_in_daemon_json_and_in_the_command(tmp_path):
    with pytest.raises(Impossible, match="take hosts out of the file"):
        way(tmp_path, "dockerd", "drop-in", ["fd://"])


@pytest.mark.parametrize(
    ("name", "unit", "files", "enabled", "sockets"),
    [
        ("docker.socket", socket("/run/docker.sock"), {}, {}, {}),
        (
            "docker.socket",
            socket("/run/docker.sock", "[::]:2375"),
            {OF_SOCKET: f"{HEAD}[Socket]\nListenStream=\nListenStream=/run/docker.sock\n"},
            {},
            {"docker.socket": True},
        ),
        ("docker-api.socket", socket("[::]:7712"), {}, {"docker-api.socket": False}, {"docker-api.socket": False}),
        (
            "docker-api.socket",
            socket("[::]:7712", enabled="disabled"),
            {},
            {},
            {"docker-api.socket": False},
        ),
        ("docker-api.socket", socket("[::]:7712", active=False), {}, {"docker-api.socket": False}, {}),
        ("docker-api.socket", socket("[::]:7712", active=False, enabled="disabled"), {}, {}, {}),
        ("other.socket", socket("[::]:7712", triggers=["other.service"]), {}, {}, {}),
        ("docker.path", socket("[::]:7712"), {}, {}, {}),
    ],
)  # fmt: skip
def test_other_socket_units(tmp_path, name, unit, files, enabled, sockets):
    found = way(tmp_path, "dockerd -H fd://", "none", units={name: unit})
    assert found.files == {OURS: None, UNIT_FILE: None, **files}
    assert (found.enabled, found.sockets) == (enabled, sockets)


@pytest.mark.parametrize("state", ["static", "generated", "transient", "indirect"])
def test_socket_unit_that_cannot_be_disabled(tmp_path, state):
    units = {"docker-api.socket": socket("[::]:7712", enabled=state)}
    with pytest.raises(Impossible, match=r"docker-api.socket opens \[::\]:7712 and cannot be disabled"):
        way(tmp_path, "dockerd -H fd://", units=units)


def test_drop_ins_of_our_own_unit(tmp_path):
    units = {**VENDORS, TCP_SOCKET: socket("192.0.2.1:2376", drop_ins=["/etc/systemd/system/x.conf"])}
    with pytest.raises(Impossible, match=r"/etc/systemd/system/x.conf"):
        way(tmp_path, "dockerd -H fd://", units=units)


def test_our_unit():
    wish = Wish(SOCKET_UNIT, ["192.0.2.1", "2001:db8::1"], 2377)
    command = command_line.CommandLine((), text="")
    text = transport.way(wish, SERVICE, command, VENDORS, ["fd://"]).files[UNIT_FILE]
    assert text is not None
    assert "ListenStream=192.0.2.1:2377\nListenStream=[2001:db8::1]:2377\nFreeBind=true\n" in text
    assert f"Service={SERVICE}\n" in text
    assert text.endswith(f"WantedBy=sockets.target {SERVICE}\n")


def unit_text(tmp_path) -> str:
    return way(tmp_path, "dockerd -H fd://").files[UNIT_FILE] or ""


def test_what_is_not_so_yet(tmp_path):
    """From nothing to the unit, from there to nothing, and twice nothing to do."""
    there, text = way(tmp_path, "dockerd -H fd://"), unit_text(tmp_path)
    has_it = {**VENDORS, TCP_SOCKET: socket("192.0.2.1:2376")}
    assert list(transport.changes(there, VENDORS, {})) == [
        steps.file(ROOT, UNIT_FILE, text),
        steps.enablement(TCP_SOCKET, True),
    ]
    assert transport.moving(there, VENDORS, {}) == {TCP_SOCKET: True}
    assert list(transport.changes(there, has_it, {UNIT_FILE: text})) == []
    assert transport.moving(there, has_it, {UNIT_FILE: text}) == {}

    gone = way(tmp_path, "dockerd -H fd://", "none", units=has_it)
    assert list(transport.changes(gone, has_it, {UNIT_FILE: text})) == [
        steps.enablement(TCP_SOCKET, False),
        steps.file(ROOT, UNIT_FILE, None),
    ]
    assert transport.moving(gone, has_it, {UNIT_FILE: text}) == {TCP_SOCKET: False}
    gone = way(tmp_path, "dockerd -H fd://", "none")
    assert (list(transport.changes(gone, VENDORS, {})), transport.moving(gone, VENDORS, {})) == ([], {})


def test_from_the_drop_in_to_the_unit_and_never_both(tmp_path):
    former, text = way(tmp_path, "dockerd -H fd://", "drop-in"), unit_text(tmp_path)
    assert former.files[UNIT_FILE] is None
    texts = {OURS: former.files[OURS]}
    wanted = way(tmp_path, "dockerd -H fd://")
    assert list(transport.changes(wanted, VENDORS, texts)) == [
        steps.file(ROOT, OURS, None),
        steps.file(ROOT, UNIT_FILE, text),
        steps.enablement(TCP_SOCKET, True),
    ]


def test_the_unit_opens_anew_at_another_address(tmp_path):
    has_it = {**VENDORS, TCP_SOCKET: socket("192.0.2.9:2376")}
    wanted = way(tmp_path, "dockerd -H fd://", units=has_it)
    assert transport.moving(wanted, has_it, {UNIT_FILE: "another"}) == {TCP_SOCKET: True}
