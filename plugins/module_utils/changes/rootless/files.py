# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a rootless engine: unit, drop-ins, AppArmor profile, client context. Pure text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

UNIT = "docker.service"
UNIT_FILE = f".config/systemd/user/{UNIT}"
DROP_IN = f"{UNIT_FILE}.d/bulwark.conf"
DAEMON_JSON = ".config/docker/daemon.json"
# What an engine reads at its start alone.
READ_AT_START = (UNIT_FILE, DROP_IN, DAEMON_JSON)
CONTEXT = "rootless"
# The client names the folder of a context by the SHA-256 of its name.
CONTEXT_FILE = f".docker/contexts/meta/{hashlib.sha256(CONTEXT.encode()).hexdigest()}/meta.json"
DELEGATE_FILE = "/etc/systemd/system/user@.service.d/bulwark-delegate.conf"
SYSCTL_FILE = "/etc/sysctl.d/60-bulwark-rootless-ports.conf"
PORT_START = "net.ipv4.ip_unprivileged_port_start"
PROFILES = "/etc/apparmor.d"
# Where dockerd-rootless.sh looks for newuidmap, slirp4netns, iptables and the like.
_SEARCH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_MADE = "# Written by bulwark.docker (role rootless)."

_UNIT = """\
{made}
[Unit]
Description=Docker engine of {user}, without root
Documentation=https://docs.docker.com/go/rootless/
Requires=dbus.socket
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
{environment}
ExecStart={script}{flags}
ExecReload=/bin/kill -s HUP $MAINPID
Type=notify
NotifyAccess=all
KillMode=mixed
Delegate=yes
Restart=always
RestartSec=2
TimeoutStartSec=infinity
LimitNOFILE=infinity
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=default.target
"""

# As AppArmor's own profile of /usr/bin/rootlesskit: it restricts nothing but may make user namespaces.
_PROFILE = """\
{made}
abi <abi/4.0>,
include <tunables/global>

profile {name} {path} flags=(unconfined) {{
  userns,
}}
"""


def is_ours(text: str) -> bool:
    """Whether that unit was written here; others are kept as they are."""
    return text.startswith(_MADE)


def unit(user: str, script: str, variables: Mapping[str, str], iptables: bool) -> str:
    """The unit of the engine. Debian's docker.io keeps the scripts outside of PATH: their folder is added."""
    folder = str(Path(script).parent)
    search = ":".join(dict.fromkeys([folder, *_SEARCH]))
    flags = "" if iptables else " --iptables=false"
    return _UNIT.format(
        made=_MADE,
        user=user,
        script=script,
        flags=flags,
        environment=_environment({"PATH": search, **variables}),
    )


def drop_in(variables: Mapping[str, str]) -> str:
    """What a unit that others wrote gets beside."""
    return f"{_MADE}\n[Service]\n{_environment(variables)}\n"


def variables(network: str, port_driver: str, slirp4netns: bool, pasta: bool) -> dict[str, str]:
    """What dockerd-rootless.sh takes its drivers from; nothing where its own choice is wanted, which is slirp4netns.

    It does not find pasta by itself, and wants to be told the port driver that goes with it.
    """
    if network == "auto" and pasta and not slirp4netns:
        network = "pasta"
    if port_driver == "auto" and network in ("pasta", "gvisor-tap-vsock"):
        port_driver = {"pasta": "implicit"}.get(network, port_driver)
    chosen = {"NET": network, "PORT_DRIVER": port_driver}
    return {
        f"DOCKERD_ROOTLESS_ROOTLESSKIT_{name}": value for name, value in chosen.items() if value != "auto"
    }


def delegate() -> str:
    """On cgroup v2 only what is delegated to an account's systemd can limit its containers."""
    return f"{_MADE}\n[Service]\nDelegate=cpu cpuset io memory pids\n"


def sysctl() -> str:
    """Ordinary accounts may listen on all ports, also after a boot."""
    return f"{_MADE}\n{PORT_START} = 0\n"


def profile_file(rootlesskit: str) -> str:
    """Where the AppArmor profile of that program lies: its path with dots."""
    return f"{PROFILES}/{rootlesskit.strip('/').replace('/', '.')}"


def profile(rootlesskit: str) -> str:
    """The AppArmor profile that lets that program make user namespaces where the kernel restricts them."""
    return _PROFILE.format(made=_MADE, name=Path(profile_file(rootlesskit)).name, path=rootlesskit)


def socket(uid: int | str) -> str:
    """The socket of the engine of that account."""
    return f"/run/user/{uid}/docker.sock"


def context(uid: int | str) -> str:
    """What `docker context create rootless` writes for that socket."""
    host = {"Host": f"unix://{socket(uid)}", "SkipTLSVerify": False}
    content = {
        "Name": CONTEXT,
        "Metadata": {"Description": "Rootless mode"},
        "Endpoints": {"docker": host},
    }
    return json.dumps(content, separators=(",", ":"))


def environment_file(user: str) -> str:
    """Where the login shells of that account learn of its engine."""
    return f"/etc/profile.d/bulwark-rootless-{user}.sh"


def environment(user: str, uid: int | str) -> str:
    """For clients that know no contexts. What the user has set already counts."""
    return (
        f"{_MADE}\n"
        f'if [ "$(id -un)" = "{user}" ] && [ -z "${{DOCKER_HOST:-}}" ]; then\n'
        f"    export DOCKER_HOST=unix://{socket(uid)}\n"
        "fi\n"
    )


def _environment(variables: Mapping[str, str]) -> str:
    return "\n".join(f"Environment={name}={value}" for name, value in variables.items())
