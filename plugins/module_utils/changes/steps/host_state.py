# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the host that are no files of ours: how each is read, and how it is written. One table.

Each has an account beside its key: a unit of root's is the system's, one of another account's is of its own systemd.
Several units of the system, separated by blanks, have a list as their value, and are ordered together: one that stops
or disables another with it is read before, so that undoing brings back both.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import (
    foreign_json,
    identity,
    limits,
    reading,
)
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Place, acting_as
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files, containers
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.systemd import (
    STOP_SECONDS,
    Service,
    ServiceError,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step

# What a key of `context` is: the file of the docker client.
CLIENT_FILE = "~/.docker/config.json"
CLIENTS = "clients"
_SECONDS = 30
_CONNECT_SECONDS = 2
_LINGER = Path("/var/lib/systemd/linger")
_CAPABILITY = "security.capability"
# What setcap cap_net_bind_service=ep writes: VFS_CAP_REVISION_2 with the effective bit, capability 10 as permitted.
NET_BIND_SERVICE = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0).hex()
_PROFILES = "/sys/kernel/security/apparmor/profiles"

Left = list[str]
Read = Callable[[Account, str], Any]
Write = Callable[[Account, str, Any], Left]
Says = Callable[[Account, str, Any], str]


class Setting(NamedTuple):
    """`read(account, key)` is its value now, as JSON data. `write(account, key, value)` gives it that one, and returns
    a sentence for each part that it leaves as it is; both raise OSError, Unreadable or Unwritable. `says` tells the
    action. `sweep` takes away what a `write` that was killed has left. With `strict` what a change leaves as it is
    fails that change; what undoing leaves is told."""

    read: Read
    write: Write
    says: Says
    sweep: Callable[[Account, str], None] = lambda account, key: None
    strict: bool = False


def has_manager(account: Account) -> bool:
    """Whether the account's own systemd can be spoken to."""
    path = f"/run/user/{account.owner.uid}/bus"
    try:
        identity.connect(path, account.owner, time.monotonic() + _CONNECT_SECONDS).close()
    except (OSError, Unreadable):
        # While it ends, the socket lies there for a moment, and nobody listens.
        return False
    return True


def start_manager(account: Account) -> None:
    """The account's own systemd runs and its bus is there. Raises Unwritable where it does not come."""
    _order("systemctl", "start", f"user@{account.owner.uid}.service")
    limit = time.monotonic() + _SECONDS
    while not has_manager(account):
        if time.monotonic() > limit:
            raise atomic_files.Unwritable(
                f"nobody answers at /run/user/{account.uid}/bus within {_SECONDS} s after user@{account.uid}.service "
                "was started: install dbus-user-session, or see journalctl -u of that unit"
            )
        time.sleep(0.1)


def reread(account: Account, unit: str) -> None:
    """The systemd of that unit reads its files anew, where it runs. Raises ServiceError."""
    if account.is_root or has_manager(account):
        Service(unit, (), account).daemon_reload()


def _of_each(read_one: Read) -> Read:
    """The reading of several units as that of each."""

    def read_all(account: Account, key: str) -> Any:
        return [read_one(account, each) for each in key.split()] if " " in key else read_one(account, key)

    return read_all


def _ordered(one: Write, orders: tuple[str, str]) -> Write:
    """The order for several units at once: `orders` are what systemctl is told for true and for false."""

    def write_all(account: Account, key: str, value: Any) -> Left:
        if " " not in key:
            return one(account, key, value)
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

    return write_all


def _says(orders: tuple[str, str]) -> Says:
    def says(account: Account, key: str, value: Any) -> str:
        wanted = dict(zip(key.split(), value if isinstance(value, list) else [value]))
        parts = [
            f"{order} {', '.join(named(account, unit) for unit, each in wanted.items() if each == wish)}"
            for wish, order in zip((True, False), orders)
            if wish in wanted.values()
        ]
        return " and ".join(parts)

    return says


def named(account: Account, unit: str) -> str:
    """As people know it: a unit of an account's systemd bears the account's name."""
    return unit if account.is_root else f"{account.name}/{unit}"


def _is_enabled(account: Account, unit: str) -> bool:
    if account.is_root:
        return _file_state(unit) == "enabled"
    # Without a session the account's systemd cannot be asked.
    folder = f"{accounts.home(account)}/.config/systemd/user"
    return bool(identity.within(account.owner, _SECONDS, _is_wanted, folder, unit))


def _is_wanted(folder: str, unit: str) -> bool:
    return any((wants / unit).exists() for wants in Path(folder).glob("*.wants"))


def _enable(account: Account, unit: str, value: Any) -> Left:
    _speakable(account, unit).unit_file("enable" if value else "disable")
    return []


def _is_masked(account: Account, unit: str) -> bool:
    return _file_state(unit) == "masked"


def _mask(account: Account, unit: str, value: Any) -> Left:
    Service(unit, (), account).unit_file("mask" if value else "unmask")
    return []


def _file_state(unit: str) -> str:
    return limits.run(["systemctl", "is-enabled", unit], _SECONDS).out.strip()


def _runs(account: Account, unit: str) -> bool:
    if not account.is_root and not has_manager(account):
        return False
    return Service(unit, (), account).is_active(unit)


def _run(account: Account, unit: str, value: Any) -> Left:
    service = _speakable(account, unit)
    service.daemon_reload()
    if value:
        service.start(STOP_SECONDS)
    else:
        service.stop()
    return []


def _end(account: Account, key: str, value: Any) -> Left:
    """Never started again: whom they served is gone."""
    wanted = value if isinstance(value, list) else [value]
    units = [unit for unit, each in zip(key.split(), wanted) if not each]
    if units:
        _order("systemctl", "stop", *units, seconds=STOP_SECONDS)
    return []


def _speakable(account: Account, unit: str) -> Service:
    if not account.is_root and not has_manager(account):
        start_manager(account)
    return Service(unit, (), account)


def _lingers(account: Account, user: str) -> bool:
    return Path(_LINGER, user).exists()


def _linger(account: Account, user: str, value: Any) -> Left:
    _order("loginctl", "enable-linger" if value else "disable-linger", user)
    if value:
        # It is logind that starts it, in its own time.
        start_manager(accounts.of(user))
    return []


def _sysctl(account: Account, name: str) -> str | None:
    return reading.word(_sysctl_path(name))


def _set_sysctl(account: Account, name: str, value: Any) -> Left:
    Path(_sysctl_path(name)).write_text(f"{value}\n", encoding="ascii")
    return []


def _sysctl_path(name: str) -> str:
    return f"/proc/sys/{name.replace('.', '/')}"


def _capability(account: Account, path: str) -> str | None:
    """As hexadecimal digits; None where the file has none."""
    try:
        return os.getxattr(path, _CAPABILITY).hex()
    except OSError:
        return None


def _set_capability(account: Account, path: str, value: Any) -> Left:
    if value is None:
        os.removexattr(path, _CAPABILITY)
    else:
        os.setxattr(path, _CAPABILITY, bytes.fromhex(value))
    return []


def _is_loaded(account: Account, profile: str) -> bool:
    """By the path of the profile's file, which says what it is for."""
    names = (line.rpartition(" (")[0] for line in (reading.kernel_text(_PROFILES) or "").splitlines())
    return Path(profile).name in names


def _load(account: Account, profile: str, value: Any) -> Left:
    _order("apparmor_parser", "--replace" if value else "--remove", profile)
    return []


def _running(account: Account, socket: str) -> list[str]:
    return containers.running(Place(socket, account.owner), _SECONDS)


def _let_run(account: Account, socket: str, ids: Any) -> Left:
    """Those run again; without any, all that run are stopped."""
    engine = Place(socket, account.owner)
    now = _running(account, socket)
    if not ids:
        containers.stop(engine, now)
    return containers.start(engine, [each for each in ids if each not in now], _SECONDS)


def _running_if_told(account: Account, socket: str) -> list[str]:
    try:
        return _running(account, socket)
    except Unreadable:
        return []


def _stop_if_it_does(account: Account, socket: str, ids: Any) -> Left:
    """The engine goes, whatever it says: an account does not keep its engine by an answer."""
    try:
        return _let_run(account, socket, ids)
    except Unreadable as problem:
        return [f"{_says_containers(account, socket, ids)} of {account.name}: not done: {problem}"]


def _says_containers(account: Account, socket: str, ids: Any) -> str:
    return f"start the containers ({len(ids)})" if ids else "stop the running containers"


def _current_context(account: Account, path: str) -> str | None:
    place = _of_home(account, path)
    with located(place) as found, acting_as(place.owner):
        current = _client_settings(found.by_handle).get("currentContext")
    return None if current is None else str(current)


def _use_context(account: Account, path: str, value: Any) -> Left:
    """What else the client keeps in that file, credentials among it, stays."""
    place = _of_home(account, path)
    with located(place) as found, acting_as(place.owner):
        seen = None if found.missing else atomic_files.look(found.by_handle)
        held = _client_settings(found.by_handle)
        kept = {name: each for name, each in held.items() if name != "currentContext"}
        if value is not None:
            kept["currentContext"] = value
        if not kept:
            # It came with the context.
            atomic_files.remove(found.by_handle)
            return []
        found.make_directories(0o700)
        image = seen[1]._replace(times_ns=None) if seen else atomic_files.fresh(place.owner, 0o600)
        content = f"{json.dumps(kept, indent=chr(9), ensure_ascii=False)}\n".encode("utf-8", "surrogatepass")
        atomic_files.replace(found.by_handle, content, image)
    return []


def _sweep_client(account: Account, path: str) -> None:
    place = _of_home(account, path)
    with located(place) as found, acting_as(place.owner):
        atomic_files.sweep(found.by_handle)


def _of_home(account: Account, path: str) -> Place:
    return Place(f"{accounts.home(account)}/{path[2:]}", account.owner)


def _client_settings(path: str) -> dict[str, Any]:
    seen = atomic_files.look(path)
    try:
        known = foreign_json.loads(seen[0], atomic_files.shown(path)) if seen and seen[0].strip() else {}
    except foreign_json.NotJson as problem:
        raise atomic_files.Unwritable(f"{problem}; correct it, or move it away") from problem
    if not isinstance(known, dict):
        raise atomic_files.Unwritable(
            f"{atomic_files.shown(path)} is no JSON object; correct it, or move it away"
        )
    return known


def _order(*words: str, seconds: float = _SECONDS) -> None:
    try:
        done = limits.run(words, seconds)
    except Unreadable as problem:
        raise atomic_files.Unwritable(f"{' '.join(words)}: {problem}") from problem
    if done.status != 0:
        raise atomic_files.Unwritable(f"{' '.join(words)}: {done.err.strip()}")


def _of_units(read_one: Read, write_one: Write, orders: tuple[str, str]) -> Setting:
    return Setting(_of_each(read_one), _ordered(write_one, orders), _says(orders))


_ORDERS = ("start", "stop")

SETTINGS: dict[str, Setting] = {
    "apparmor": Setting(
        _is_loaded, _load, lambda account, key, on: f"{'load' if on else 'unload'} the profile {key}"
    ),
    "capability": Setting(
        _capability,
        _set_capability,
        lambda account, key, value: (
            f"{'take the capabilities of' if value is None else 'give cap_net_bind_service to'} {key}"
        ),
    ),
    # Instances that a socket has started, one for each.
    CLIENTS: Setting(_of_each(_runs), _end, _says(_ORDERS)),
    "containers": Setting(_running, _let_run, _says_containers, strict=True),
    "context": Setting(
        _current_context,
        _use_context,
        lambda account, key, value: f"docker of {account.name} talks to the context {value or 'default'}",
        _sweep_client,
    ),
    "enabled": _of_units(_is_enabled, _enable, ("enable", "disable")),
    # Those of an engine that ends.
    "last_containers": Setting(_running_if_told, _stop_if_it_does, _says_containers),
    "linger": Setting(
        _lingers, _linger, lambda account, key, on: f"{'enable' if on else 'disable'} linger of {key}"
    ),
    "masked": _of_units(_is_masked, _mask, ("mask", "unmask")),
    "running": _of_units(_runs, _run, _ORDERS),
    "sysctl": Setting(_sysctl, _set_sysctl, lambda account, key, value: f"set {key} to {value}"),
}


def read(what: str, account: Account, key: str) -> Any:
    """The value now. Raises Unwritable with the reason."""
    try:
        return SETTINGS[what].read(account, key)
    except (OSError, KeyError, Unreadable, ServiceError) as problem:
        raise atomic_files.Unwritable(
            f"{what} of {named(account, key)} cannot be read: {problem}"
        ) from problem


def write(what: str, account: Account, key: str, value: Any) -> Left:
    """Give it that value. Raises Unwritable with the reason."""
    try:
        return SETTINGS[what].write(account, key, value)
    except (OSError, KeyError, Unreadable, ServiceError) as problem:
        raise atomic_files.Unwritable(f"{SETTINGS[what].says(account, key, value)}: {problem}") from problem


def perform(step: Step, transaction: Transaction) -> Left:
    """The setting has the value of the step. Raises Unwritable, also for what a strict one leaves as it is."""
    before = read(step.kind, step.account, step.key)
    transaction.journal(Entry(step.kind, step.key, step.account, {"before": before, "after": step.value}))
    left = write(step.kind, step.account, step.key, step.value)
    if left and SETTINGS[step.kind].strict:
        raise atomic_files.Unwritable("; ".join(left))
    return left


def undo(entry: Entry, transaction: Transaction) -> Left:
    """It has its former value again, also after a write that was killed. Raises Unwritable with the reason."""
    SETTINGS[entry.kind].sweep(entry.account, entry.key)
    before = entry.data["before"]
    if read(entry.kind, entry.account, entry.key) == before:
        return []
    return write(entry.kind, entry.account, entry.key, before)


def reverse(entry: Entry, transaction: Transaction) -> Step | None:
    """The step that leads back to the former value. Clients of a socket are gone."""
    if entry.kind == CLIENTS:
        return None
    return Step(entry.kind, entry.key, entry.account, entry.data["before"])
