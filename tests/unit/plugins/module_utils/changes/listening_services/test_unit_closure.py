# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units as `systemctl show` tells of them. How they stop together is tested on real hosts."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import unit_closure

RPCBIND = """Accept=no
Listen=/run/rpcbind.sock (Stream)
Listen=0.0.0.0:111 (Stream)
Listen=[::]:111 (Datagram)
Id=rpcbind.socket
Names=rpcbind.socket
RequiredBy=rpcbind.service
BoundBy=nfs-blkmap.service
TriggeredBy=
Triggers=rpcbind.service
LoadState=loaded
ActiveState=active
FragmentPath=/usr/lib/systemd/system/rpcbind.socket
UnitFileState=enabled
"""
NOTHING = "Id=x.service\nNames=x.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState="


def unit(text: str, **changed: str) -> unit_closure.Unit:
    """That of the text, with other values of some properties."""
    lines = [line for line in text.splitlines() if line.partition("=")[0] not in changed]
    return unit_closure._unit("\n".join([*lines, *(f"{name}={value}" for name, value in changed.items())]))


def test_socket_with_several_addresses():
    found = unit(RPCBIND)
    assert found.listens == (
        ("Stream", "/run/rpcbind.sock"),
        ("Stream", "0.0.0.0:111"),
        ("Datagram", "[::]:111"),
    )
    assert (found.triggers, found.triggered_by) == (("rpcbind.service",), ())
    assert found.needed_by == ("nfs-blkmap.service", "rpcbind.service")
    assert (found.active, found.is_trigger, found.accepts) == (True, True, False)


def test_unit_that_is_not_there():
    found = unit(NOTHING)
    assert (found.load, found.active, found.is_enabled, found.is_masked) == ("not-found", False, False, False)
    assert (found.listens, found.needed_by) == ((), ())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("enabled", (True, False, False)),
        ("enabled-runtime", (False, False, False)),
        ("generated", (False, True, False)),
        ("masked", (False, False, True)),
        ("masked-runtime", (False, False, True)),
        ("static", (False, False, False)),
    ],
)
def test_state_of_the_unit_file(state, expected):
    found = unit(RPCBIND, UnitFileState=state)
    assert (found.is_enabled, found.is_generated, found.is_masked) == expected


@pytest.mark.parametrize("state", ["active", "activating", "reloading"])
def test_running(state):
    assert unit(RPCBIND, ActiveState=state).active
    assert not unit(RPCBIND, ActiveState=f"de{state}").active


def test_file_of_the_administrator():
    path = "/etc/systemd/system/x.service"
    assert unit(NOTHING, FragmentPath=path).is_of_the_administrator
    assert not unit(RPCBIND).is_of_the_administrator
    # The link of a unit that is masked lies there, too.
    assert not unit(NOTHING, FragmentPath=path, UnitFileState="masked").is_of_the_administrator
