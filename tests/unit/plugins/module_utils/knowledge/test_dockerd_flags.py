# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags of dockerd: what each spelling means to pflag."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.dockerd_flags import parse


@pytest.mark.parametrize(
    ("line", "flags"),
    [
        ("", {}),
        ("-H fd:// --containerd=/run/containerd/containerd.sock",
         {"host": ["fd://"], "containerd": ["/run/containerd/containerd.sock"]}),
        ("-H unix:///run/docker.sock -H tcp://0.0.0.0:2375 --host=tcp://[::1]:2376",
         {"host": ["unix:///run/docker.sock", "tcp://0.0.0.0:2375", "tcp://[::1]:2376"]}),
        ("-Hfd:// -H=tcp://:2375", {"host": ["fd://", "tcp://:2375"]}),
        ("-D -l debug", {"debug": ["true"], "log-level": ["debug"]}),
        ("-DH fd:// -ldebug", {"debug": ["true"], "host": ["fd://"], "log-level": ["debug"]}),
        ("-D=false -g /srv/docker", {"debug": ["false"], "data-root": ["/srv/docker"]}),
        ("--graph /a --data-root=/b", {"data-root": ["/a", "/b"]}),
        ("--icc --iptables=0 --ipv6=T", {"icc": ["true"], "iptables": ["false"], "ipv6": ["true"]}),
        # A boolean never takes the next word; other words are stray.
        ("--icc false --tls", {"icc": ["true"], "tls": ["true"]}),
        ("--userns-remap= --no-new-privileges=false --live-restore=false",
         {"userns-remap": [""], "no-new-privileges": ["false"], "live-restore": ["false"]}),
        ("--log-level debug --label a=b --label=c=d", {"log-level": ["debug"], "label": ["a=b", "c=d"]}),
        ("--host", {"host": [""]}),
        ("--debug -- --icc", {"debug": ["true"]}),
        ("- word --mtu 1400", {"mtu": ["1400"]}),
    ],
)  # fmt: skip
def test_parse(line: str, flags: dict[str, list[str]]) -> None:
    assert parse(line.split()) == flags
