# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the engine of a test host with the real modules, and see on the host itself what they did, or did not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from tests.hosts import states
from tests.hosts.auditing import run_module
from tests.hosts.host import Host
from tests.hosts.states import DAEMON_JSON

STATE = "/var/lib/bulwark"
# Long enough to see an engine that dies at once, where settling is not what a test is about.
SETTLE = 0.5

# Everything that tells whether a file was written, also when the same was written again.
_LOOK = """
import hashlib, os, sys
for top in sys.argv[1:]:
    paths = [top] + [os.path.join(at, name) for at, dirs, files in os.walk(top) for name in dirs + files]
    for path in sorted(set(filter(os.path.lexists, paths))):
        s = os.lstat(path)
        held = os.readlink(path) if os.path.islink(path) else ""
        if os.path.isfile(path) and not held:
            with open(path, "rb") as file:
                held = hashlib.sha256(file.read()).hexdigest()
        print(path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_ino, s.st_mtime_ns, s.st_ctime_ns, held)
"""
# Debian's own engine again, restarted only where the test has done so ($1: the process it had before).
_RESET = f"""
docker ps --all --quiet 2>/dev/null | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
[ "$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')" = inactive ] || docker swarm leave --force
ls {states.SERVICE_DROP_IN} >/dev/null 2>&1 && rm {states.SERVICE_DROP_IN} && systemctl daemon-reload
rm -rf {DAEMON_JSON} {STATE}
: > /etc/default/docker
[ "$(systemctl show --property=MainPID --value docker.service)" = "$1" ] &&
    # What a reload may have changed.
    [ "$(docker info --format '{{{{.Debug}}}} {{{{.LiveRestoreEnabled}}}} {{{{.Labels}}}}')" = 'false false []' ] &&
    exit 0
systemctl stop docker.socket docker.service
systemctl reset-failed docker.socket docker.service
systemctl enable --quiet docker.socket docker.service
systemctl start docker.socket docker.service
"""


def config(
    host: Host, options: Mapping[str, Any] | None = None, /, *, check: bool = False, **more: Any
) -> dict[str, Any]:
    """The result of daemon_config with those options of dockerd, failed or not."""
    given = {"settle": SETTLE, **({} if options is None else {"config": options}), **more}
    return run_module(host, given, name="daemon_config", check=check, diff=True)


def apply(host: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
    """The result of daemon_apply, failed or not."""
    return run_module(host, {"settle": SETTLE, **options}, name="daemon_apply", check=check)


def changed(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result, of a run that succeeded and changed something."""
    assert not result.get("failed"), result
    assert result["changed"] is True, result
    return result


def unchanged(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result, of a run that succeeded and found nothing to do."""
    assert not result.get("failed"), result
    assert (result["changed"], result["effect"], result["actions"]) == (False, "none", []), result
    return result


def refused(result: Mapping[str, Any], *words: str) -> str:
    """The message of a run that failed before it changed anything, with each of the words."""
    assert result.get("failed"), result
    assert result["changed"] is False
    assert result.get("transaction") is None
    message = str(result["msg"])
    assert [word for word in words if word not in message] == [], message
    return message


def written(host: Host, *tops: str) -> list[str]:
    """Every file below /etc and the state directory, or those directories, in a form that any writing changes."""
    return host.run(["python3", "-c", _LOOK, *(tops or ("/etc", STATE))]).stdout.splitlines()


def settings(host: Host, path: str = DAEMON_JSON) -> Any:
    return json.loads(host.read(path))


def attributes(host: Host, path: str = DAEMON_JSON) -> str:
    """Mode, owner and group of a file, not of what it links to."""
    return host.run(["stat", "--format=%a %U:%G", path]).stdout.strip()


def info(host: Host, field: str) -> str:
    """A field of `docker info`."""
    return host.docker("info", "--format", f"{{{{json .{field}}}}}").stdout.strip()


def unit(host: Host, name: str, unit_name: str = "docker.service") -> str:
    return host.run(["systemctl", "show", f"--property={name}", "--value", unit_name]).stdout.strip()


def main_pid(host: Host) -> str:
    return unit(host, "MainPID")


def run(host: Host, name: str, *options: str) -> str:
    """A container of that name runs; returns its process on the host."""
    host.import_busybox()
    # As process 1, sleep ignores the signal by which Docker usually asks a container to end.
    ends = ("--stop-signal", "KILL")
    host.docker("run", "--detach", "--name", name, *ends, *options, "busybox:test", "sleep", "6000")
    return process(host, name)


def process(host: Host, name: str) -> str:
    """The process of a container while it runs, 0 when it does not."""
    return host.docker("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()


def put(host: Host, content: str | bytes, path: str = DAEMON_JSON, mode: int = 0o644) -> None:
    """Write a file without telling the engine."""
    host.put(path, content, mode)


def drop_in(host: Host, lines: str) -> None:
    """A drop-in of docker.service that systemd knows, and the running engine does not yet use."""
    host.put(states.SERVICE_DROP_IN, f"[Service]\n{lines}\n")
    host.run("systemctl daemon-reload")


def reset(host: Host, pid: str) -> None:
    """The engine as Debian installs it, without containers; not restarted where it still is process `pid`."""
    host.run(["sh", "-c", _RESET, "sh", pid])
    host.wait_ready()


def leftovers(host: Host) -> list[str]:
    """What lies in the engine's configuration directory beside what belongs there."""
    names = host.run(["ls", "-A", str(PurePosixPath(DAEMON_JSON).parent)]).stdout.split()
    return sorted(set(names) - {"daemon.json", "key.json"})
