# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts on which a rootless engine would not start: `rootless` says why. rootlesskit itself shows each time that it
does not, and that it does once the host is well again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.auditing import run_module
from tests.hosts.host import Host

pytestmark = pytest.mark.images("bookworm")

# Ids, network and NAT as dockerd-rootless.sh has them.
_KIT = (
    "rm -rf /tmp/kit && cd / && PATH=/usr/sbin:/usr/bin rootlesskit --state-dir=/tmp/kit --net=slirp4netns"
    " --disable-host-loopback --copy-up=/run iptables -t nat -N PROOF"
)


def _hidden(path: str) -> tuple[str, str]:
    return f"mv {path} {path}.hidden", f"mv {path}.hidden {path}"


# {what is wrong: (how it comes, how it goes, what is said)}
STATES = {
    "85: newuidmap without privilege": (
        "chmod u-s /usr/bin/newuidmap",
        "chmod u+s /usr/bin/newuidmap",
        "/usr/bin/newuidmap cannot give worker its subordinate ids: it is not setuid root",
    ),
    "newuidmap on a nosuid mount": (
        "mkdir /mnt/nosuid && mount -t tmpfs -o nosuid tmpfs /mnt/nosuid && cp -p /usr/bin/newuidmap /mnt/nosuid"
        " && mount --bind /mnt/nosuid/newuidmap /usr/bin/newuidmap",
        "umount /usr/bin/newuidmap /mnt/nosuid && rmdir /mnt/nosuid",
        "/usr/bin/newuidmap is mounted with nosuid",
    ),
    "newuidmap for root alone": (
        "chmod 4700 /usr/bin/newuidmap",
        "chmod 4755 /usr/bin/newuidmap",
        "There is no newuidmap that worker may run: install uidmap",
    ),
    "the tap device for root alone": (
        "chmod 600 /dev/net/tun",
        "chmod 666 /dev/net/tun",
        "/dev/net/tun (mode 0600, owner 0:0) cannot be read and written",
    ),
    "no tap device": (*_hidden("/dev/net/tun"), "/dev/net/tun: No such file or directory"),
    "no network": (*_hidden("/usr/bin/slirp4netns"), "install slirp4netns"),
    "no ip": (*_hidden("/usr/bin/ip"), "There is no ip that worker may run: install iproute2"),
    "iptables that fails": (
        "printf '#!/bin/sh\\necho no nat >&2; exit 3\\n' >/tmp/iptables && chmod +x /tmp/iptables"
        " && mount --bind /tmp/iptables $(readlink -f /usr/sbin/iptables)",
        "umount $(readlink -f /usr/sbin/iptables)",
        "iptables does not work for an engine of worker: no nat",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_why_an_engine_would_not_start(shared_host: Host, state: str) -> None:
    comes, goes, said = STATES[state]
    shared_host.run(comes)
    try:
        assert shared_host.run(_KIT, user="worker", check=False).rc != 0
        refused = _asked(shared_host)
    finally:
        shared_host.run(goes)
    assert refused["failed"] is True
    assert said in refused["msg"]
    assert shared_host.run(_KIT, user="worker").rc == 0
    assert not _asked(shared_host).get("failed")


def _asked(host: Host) -> dict[str, Any]:
    return run_module(host, {"user": "worker"}, name="rootless", check=True)
