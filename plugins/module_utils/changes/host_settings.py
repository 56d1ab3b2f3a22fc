# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host that are no files of ours: how each is read, and how it is written. One table.

A unit of an account's own systemd has the key USER/UNIT, one of the system's its name alone. Several of the system's,
parted by blanks, have a list as their value, and are ordered together: one that stops or disables another with it is
read before, so that undoing brings back both.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes import atomic, engine_control
from ansible_collections.bulwark.docker.plugins.module_utils.changes.service import (
    STOP_SECONDS,
    Service,
    ServiceError,
    User,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes import limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.probes.errors import Unreadable

_SECONDS = 30
_LINGER = Path("/var/lib/systemd/linger")
_CAPABILITY = "security.capability"
# What setcap cap_net_bind_service=ep writes: VFS_CAP_REVISION_2 with the effective bit, capability 10 as permitted.
NET_BIND_SERVICE = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0).hex()
_PROFILES = "/sys/kernel/security/apparmor/profiles"

Left = list[str]


class Setting(NamedTuple):
    """`read(key)` is its value now, as JSON data. `write(key, value)` gives it that one, and returns a sentence for
    each part that it leaves as it is; both raise OSError, Unreadable or Unwritable. `says` tells the action. `sweep`
    takes away what a `write` that was killed has left."""

    read: Callable[[str], Any]
    write: Callable[[str, Any], Left]
    says: Callable[[str, Any], str]
    sweep: Callable[[str], None] = lambda key: None


class Account(NamedTuple):
    """An account with its home."""

    uid: int
    gid: int
    home: str


def service_of(key: str) -> Service:
    """The service behind USER/UNIT or UNIT. Raises Unwritable where there is no such account."""
    user, _slash, unit = key.rpartition("/")
    if not user:
        return Service(unit)
    account = user_of(user)
    return Service(unit, (), User(user, account.uid, account.gid))


def user_of(name: str) -> Account:
    """The account. Raises Unwritable where there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise atomic.Unwritable(f"there is no account {name} any more") from None
    return Account(found.pw_uid, found.pw_gid, found.pw_dir)


def has_manager(user: Account) -> bool:
    """Whether the account's own systemd can be spoken to."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/run/user/{user.uid}/bus")
        except OSError:
            # While it ends, the socket lies there for a moment, and nobody listens.
            return False
    return True


def start_manager(user: Account) -> None:
    """The account's own systemd runs and its bus is there. Raises Unwritable where it does not come."""
    _order("systemctl", "start", f"user@{user.uid}.service")
    limit = time.monotonic() + _SECONDS
    while not has_manager(user):
        if time.monotonic() > limit:
            raise atomic.Unwritable(
                f"/run/user/{user.uid}/bus did not appear within {_SECONDS} s after user@{user.uid}.service was "
                "started: install dbus-user-session, or see journalctl -u of that unit"
            )
        time.sleep(0.1)


def reread(key: str) -> None:
    """The systemd of that unit reads its files anew, where it runs."""
    service = service_of(key)
    user = key.rpartition("/")[0]
    if not user or has_manager(user_of(user)):
        service.daemon_reload()


def _of_each(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """The reading of several units as that of each."""
    return lambda key: [read(each) for each in key.split()] if " " in key else read(key)


def _ordered(one: Callable[[str, Any], Left], orders: tuple[str, str]) -> Callable[[str, Any], Left]:
    """The order for several units at once: `orders` are what systemctl is told for true and for false."""

    def write(key: str, value: Any) -> Left:
        if " " not in key:
            return one(key, value)
        wanted = dict(zip(key.split(), value))
        for wish, order in zip((False, True), reversed(orders)):
            units = [unit for unit, each in wanted.items() if each == wish]
            if units:
                _order("systemctl", "daemon-reload")
                if order == "start":
                    # Their start limit counts successful starts, too. What systemd has forgotten it refuses to reset.
                    limits.run(["systemctl", "reset-failed", *units], _SECONDS)
                _order("systemctl", order, *units, seconds=STOP_SECONDS)
        return []

    return write


def _says(orders: tuple[str, str]) -> Callable[[str, Any], str]:
    def says(key: str, value: Any) -> str:
        wanted = dict(zip(key.split(), value if isinstance(value, list) else [value]))
        parts = [
            f"{order} {', '.join(unit for unit, each in wanted.items() if each == wish)}"
            for wish, order in zip((True, False), orders)
            if wish in wanted.values()
        ]
        return " and ".join(parts)

    return says


def _is_enabled(key: str) -> bool:
    user, _slash, unit = key.rpartition("/")
    if user:
        # Without a session the account's systemd cannot be asked.
        wants = Path(user_of(user).home, ".config/systemd/user").glob("*.wants")
        return any((folder / unit).exists() for folder in wants)
    return _file_state(unit) == "enabled"


def _enable(key: str, value: Any) -> Left:
    _speakable(key).unit_file("enable" if value else "disable")
    return []


def _is_masked(key: str) -> bool:
    return _file_state(key) == "masked"


def _mask(key: str, value: Any) -> Left:
    service_of(key).unit_file("mask" if value else "unmask")
    return []


def _file_state(unit: str) -> str:
    return limits.run(["systemctl", "is-enabled", unit], _SECONDS).out.strip()


def _runs(key: str) -> bool:
    user = key.rpartition("/")[0]
    if user and not has_manager(user_of(user)):
        return False
    service = service_of(key)
    return service.is_active(service.unit)


def _run(key: str, value: Any) -> Left:
    service = _speakable(key)
    service.daemon_reload()
    if value:
        service.start(STOP_SECONDS)
    else:
        service.stop()
    return []


def _end(key: str, value: Any) -> Left:
    """Never started again: whom they served is gone."""
    wanted = value if isinstance(value, list) else [value]
    units = [unit for unit, each in zip(key.split(), wanted) if not each]
    if units:
        _order("systemctl", "stop", *units, seconds=STOP_SECONDS)
    return []


def _speakable(key: str) -> Service:
    user = key.rpartition("/")[0]
    if user and not has_manager(user_of(user)):
        start_manager(user_of(user))
    return service_of(key)


def _lingers(user: str) -> bool:
    return Path(_LINGER, user).exists()


def _linger(user: str, value: Any) -> Left:
    _order("loginctl", "enable-linger" if value else "disable-linger", user)
    if value:
        # It is logind that starts it, in its own time.
        start_manager(user_of(user))
    return []


def _sysctl(name: str) -> str | None:
    return reading.word(_sysctl_path(name))


def _set_sysctl(name: str, value: Any) -> Left:
    Path(_sysctl_path(name)).write_text(f"{value}\n", encoding="ascii")
    return []


def _sysctl_path(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"


def _capability(path: str) -> str | None:
    """As hexadecimal digits; None where the file has none."""
    try:
        return os.getxattr(path, _CAPABILITY).hex()
    except OSError:
        return None


def _set_capability(path: str, value: Any) -> Left:
    if value is None:
        os.removexattr(path, _CAPABILITY)
    else:
        os.setxattr(path, _CAPABILITY, bytes.fromhex(value))
    return []


def _is_loaded(profile: str) -> bool:
    """By the path of the profile's file, which says what it is for."""
    names = (line.rpartition(" (")[0] for line in (reading.text(_PROFILES) or "").splitlines())
    return Path(profile).name in names


def _load(profile: str, value: Any) -> Left:
    _order("apparmor_parser", "--replace" if value else "--remove", profile)
    return []


def _running(engine: str) -> list[str]:
    return engine_control.running(engine, _SECONDS)


def _let_run(engine: str, ids: Any) -> Left:
    """Those run again; without any, all that run are stopped."""
    now = _running(engine)
    if not ids:
        engine_control.stop(engine, now)
    return engine_control.start(engine, [each for each in ids if each not in now], _SECONDS)


def _current_context(user: str) -> str | None:
    path, owner = _client_file(user)
    with atomic.acting_as(*owner):
        known = _client_settings(path)
    current = known.get("currentContext")
    return None if current is None else str(current)


def _use_context(user: str, value: Any) -> Left:
    """What else the client keeps in that file, credentials among it, stays."""
    path, owner = _client_file(user)
    with atomic.acting_as(*owner):
        target = atomic.real(path)
        seen = atomic.look(target)
        known = {name: each for name, each in _client_settings(target).items() if name != "currentContext"}
        if value is not None:
            known["currentContext"] = value
        if not known:
            # It came with the context.
            atomic.remove(target)
            return []
        Path(target).parent.mkdir(mode=0o700, exist_ok=True)
        image = seen[1]._replace(times_ns=None) if seen else atomic.fresh(owner)._replace(mode=0o600)
        atomic.replace(target, f"{json.dumps(known, indent=chr(9), ensure_ascii=False)}\n".encode(), image)
    return []


def _sweep_client(user: str) -> None:
    path, owner = _client_file(user)
    with atomic.acting_as(*owner):
        atomic.sweep(atomic.real(path))


def _client_file(user: str) -> tuple[str, tuple[int, int]]:
    account = user_of(user)
    return f"{account.home}/.docker/config.json", (account.uid, account.gid)


def _client_settings(path: str) -> dict[str, Any]:
    seen = atomic.look(atomic.real(path))
    try:
        known = json.loads(seen[0]) if seen and seen[0].strip() else {}
    except ValueError as problem:
        raise atomic.Unwritable(f"{path} is no JSON: {problem}; correct it, or move it away") from problem
    if not isinstance(known, dict):
        raise atomic.Unwritable(f"{path} is no JSON object; correct it, or move it away")
    return known


def _order(*words: str, seconds: float = _SECONDS) -> None:
    try:
        done = limits.run(words, seconds)
    except Unreadable as problem:
        raise atomic.Unwritable(f"{' '.join(words)}: {problem}") from problem
    if done.status != 0:
        raise atomic.Unwritable(f"{' '.join(words)}: {done.err.strip()}")


def _of_units(
    read: Callable[[str], Any], write: Callable[[str, Any], Left], orders: tuple[str, str]
) -> Setting:
    return Setting(_of_each(read), _ordered(write, orders), _says(orders))


_ORDERS = ("start", "stop")

SETTINGS: dict[str, Setting] = {
    "apparmor": Setting(_is_loaded, _load, lambda key, on: f"{'load' if on else 'unload'} the profile {key}"),
    "capability": Setting(
        _capability,
        _set_capability,
        lambda key, value: (
            f"{'take the capabilities of' if value is None else 'give cap_net_bind_service to'} {key}"
        ),
    ),
    # Instances that a socket has started, one for each.
    "clients": Setting(_of_each(_runs), _end, _says(_ORDERS)),
    "containers": Setting(
        _running,
        _let_run,
        lambda key, ids: f"start the containers ({len(ids)})" if ids else "stop the running containers",
    ),
    "context": Setting(
        _current_context,
        _use_context,
        lambda key, value: f"docker of {key} talks to the context {value or 'default'}",
        _sweep_client,
    ),
    "enabled": _of_units(_is_enabled, _enable, ("enable", "disable")),
    "linger": Setting(_lingers, _linger, lambda key, on: f"{'enable' if on else 'disable'} linger of {key}"),
    "masked": _of_units(_is_masked, _mask, ("mask", "unmask")),
    "running": _of_units(_runs, _run, _ORDERS),
    "sysctl": Setting(_sysctl, _set_sysctl, lambda key, value: f"set {key} to {value}"),
}


def read(what: str, key: str) -> Any:
    """The value now. Raises Unwritable with the reason."""
    try:
        return SETTINGS[what].read(key)
    except (OSError, KeyError, Unreadable, ServiceError) as problem:
        raise atomic.Unwritable(f"{what} of {key} cannot be read: {problem}") from problem


def write(what: str, key: str, value: Any) -> Left:
    """Give it that value. Raises Unwritable with the reason."""
    try:
        return SETTINGS[what].write(key, value)
    except (OSError, KeyError, Unreadable, ServiceError) as problem:
        raise atomic.Unwritable(f"{SETTINGS[what].says(key, value)}: {problem}") from problem


def undo(what: str, key: str, before: Any) -> Left:
    """Give it its former value again, also after a write that was killed. Raises Unwritable with the reason."""
    SETTINGS[what].sweep(key)
    return [] if read(what, key) == before else write(what, key, before)
