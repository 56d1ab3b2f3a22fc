# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook `bulwark.docker.harden` with a rootless engine in the place of the system's.

What the role does by itself is shown by the Molecule scenario `rootless`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hosts.host import Host
from tests.hosts.test_harden_playbook import harden

# Whether a rootless engine gets a packet filter depends on the kernel of the machine.
WISH: dict[str, Any] = {
    "rootless_user": "worker",
    "rootless_system_engine": "mask",
    "rootless_stop_containers": True,
    "rootless_iptables": False,
    "rootless_daemon_options": {"labels": ["rack=12"]},
}


@pytest.mark.images("trixie")
def test_a_masked_engine_of_the_system_is_left_alone(host: Host, tmp_path: Path) -> None:
    host.import_busybox()
    host.docker("run", "--detach", "--name", "web", "busybox:test", "sleep", "600")
    played, rows = harden([host.name], tmp_path, **WISH)
    change = rows[host.name]["change"]
    assert (played.rc, change["mode"], change["message"]) == (0, "done", None)
    assert {"mask docker.service", "mask docker.socket"} <= set(change["actions"])
    assert "no-new-privileges: not set -> true" not in change["actions"]
    # What a masked unit leads to is no file of an engine.
    assert host.run("stat --format %a /dev/null").stdout == "666\n"

    played, rows = harden([host.name], tmp_path, **WISH)
    assert (played.rc, rows[host.name]["change"]["actions"]) == (0, [])
    shown = host.run("systemctl is-enabled docker.service docker.socket; ps -o user= -C dockerd", check=False)
    assert shown.stdout.split() == ["masked", "masked", "worker"]
