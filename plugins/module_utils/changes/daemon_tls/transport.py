# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the engine comes to its TCP listeners: what the unit files and daemon.json have to say. Pure.

There are four ways in: the command (-H), `hosts` in daemon.json, a socket unit that triggers the service, and an
address within docker.socket. One is chosen, the others are closed: dockerd takes all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import CommandLine
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.daemon_json import TLS_KEYS
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import TCP_SOCKET
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import dockerd_flags
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.units import is_enabled

SOCKET_UNIT, DROP_IN, NONE = "socket_unit", "drop_in", "none"
UNIT_FILE = f"/etc/systemd/system/{TCP_SOCKET}"
# After whatever an administrator has called his own.
_DROP_IN = "/etc/systemd/system/{}.d/zz-bulwark-tls.conf"
_VENDORS_SOCKET = "docker.socket"
_DEFAULT_HOST = "unix:///var/run/docker.sock"
_HEAD = "# Written by bulwark.docker.daemon_tls.\n"


class Impossible(Exception):
    """The wish cannot be had on this host; the sentences, each with its way out."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Wish(NamedTuple):
    """One of the transports, with what it listens on; no address where nothing shall listen."""

    transport: str
    addresses: Sequence[str]
    port: int

    @property
    def endpoints(self) -> list[str]:
        """`192.0.2.1:2376`, `[2001:db8::1]:2376`."""
        return [named(address, self.port) for address in self.addresses]


class Way(NamedTuple):
    """What leads there.

    files     path -> content of unit files, None for one that must not be there
    enabled   whether socket units start at boot, by name
    sockets   socket units to open (true), anew if they are open, or to close (false), by name
    hosts     `hosts` of daemon.json, None for none
    notices   what an administrator should know
    """

    files: dict[str, str | None]
    enabled: dict[str, bool]
    sockets: dict[str, bool]
    hosts: list[str] | None
    notices: list[str]


def named(address: str, port: int) -> str:
    """An end point as URLs and unit files write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def drop_in(unit: str) -> str:
    """The path of our own drop-in of that unit."""
    return _DROP_IN.format(unit)


def way(
    wish: Wish,
    service: str,
    command: CommandLine,
    units: Mapping[str, Any],
    hosts: Sequence[str] | None,
) -> Way:
    """`command` is that of the service without our own drop-in; `hosts` are those of daemon.json. Raises Impossible."""
    found = Way({}, {}, {}, None, [])
    listed = _hosts(wish, command, units, hosts)
    found.files[drop_in(service)] = _service_drop_in(wish, command, units, listed, found.notices)
    for name, unit in sorted(units.items()):
        if name.endswith(".socket") and service in unit["triggers"] and name != TCP_SOCKET:
            _other(name, unit, found)
    _own(wish, service, units.get(TCP_SOCKET, {}), found)
    return found._replace(hosts=listed)


def is_tcp(host: str) -> bool:
    """Whether a value of -H or `hosts` is a TCP address."""
    return host.startswith("tcp://") or "://" not in host


def _hosts(
    wish: Wish, command: CommandLine, units: Mapping[str, Any], hosts: Sequence[str] | None
) -> list[str] | None:
    """Without TCP addresses. A socket that systemd hands over is taken by fd:// alone."""
    if hosts is None:
        return None
    kept = [host for host in hosts if not is_tcp(host)]
    needs_fd = wish.transport == SOCKET_UNIT or not kept
    if needs_fd and _has_vendors_socket(units) and "fd://" not in (*kept, *command.hosts):
        # Where the default address is among them, dockerd has put its own socket in the place of docker.socket's.
        kept = ["fd://", *kept]
    elif wish.transport == SOCKET_UNIT and "fd://" not in (*kept, *command.hosts):
        kept = ["fd://", *(kept or [_DEFAULT_HOST])]
    return kept or [_DEFAULT_HOST]


def _has_vendors_socket(units: Mapping[str, Any]) -> bool:
    unit = units.get(_VENDORS_SOCKET, {})
    return bool(unit.get("load") == "loaded" and (unit.get("active") == "active" or is_enabled(unit)))


def _service_drop_in(
    wish: Wish,
    command: CommandLine,
    units: Mapping[str, Any],
    hosts: Sequence[str] | None,
    notices: list[str],
) -> str | None:
    """A command with other addresses, None where the service's own will do."""
    given = {flag for flag in ("host", *TLS_KEYS) if flag in command.flags}
    closes = any(map(is_tcp, command.hosts))
    adds = [f"tcp://{endpoint}" for endpoint in wish.endpoints] if wish.transport == DROP_IN else []
    takes_fd = "fd://" in (*command.hosts, *(hosts or ()))
    local = [host for host in command.hosts if not is_tcp(host)]
    needs_fd = hosts is None and not takes_fd and (wish.transport == SOCKET_UNIT or (closes and not local))
    if not (closes or adds or needs_fd or given & set(TLS_KEYS)):
        return None
    if adds and hosts is not None:
        raise Impossible(
            "hosts stands in daemon.json, and dockerd refuses to start with addresses in its command as well; "
            "choose transport socket_unit, or take hosts out of the file"
        )
    if needs_fd and _has_vendors_socket(units):
        # Without any -H dockerd has put its own socket in the place of docker.socket's.
        adds = ["fd://", *([] if command.hosts else [_DEFAULT_HOST]), *adds]
    elif needs_fd and wish.transport == SOCKET_UNIT:
        adds = ["fd://", *([] if local else [_DEFAULT_HOST]), *adds]
    elif adds and not local:
        adds = ["fd://" if command.hosts and _has_vendors_socket(units) else _DEFAULT_HOST, *adds]
    text = command.text
    if closes or given & set(TLS_KEYS):
        text = _rewritten(command)
        named = sorted({str(word.source) for word in command.words if word.source.variable})
        if named:
            notices.append(
                f"The command of the engine stands in {_DROP_IN.format('docker.service')} now, and variables in it "
                f"({', '.join(named)}) do not count any more."
            )
    command_text = " ".join([text, *(f"-H {host}" for host in adds)])
    # Unlike a socket unit, dockerd fails at an address that is not there yet.
    wait = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n\n"
    wait = wait if wish.transport == DROP_IN else ""
    return f"{_HEAD}{wait}[Service]\nExecStart=\nExecStart={command_text}\n"


def _rewritten(command: CommandLine) -> str:
    """The command without TCP addresses and without the flags of TLS, which daemon.json has."""
    if "%" in command.text.replace("%%", ""):
        raise Impossible(
            f"the command of the engine in {command.starts[-1]} has specifiers of systemd (systemd.unit(5)), and must "
            "lose an address or a flag of TLS; write them out, or take it out by hand"
        )
    kept: list[str] = []
    arguments = command.arguments
    place = 0
    while place < len(arguments):
        before = dockerd_flags.parse(arguments[:place])
        width = 1
        # A flag with its value in the next word.
        if (
            place + 1 < len(arguments)
            and not arguments[place + 1].startswith("-")
            and "=" not in arguments[place]
        ):
            width = 2
        parsed = dockerd_flags.parse(arguments[: place + width])
        new = {name: values[len(before.get(name, ())) :] for name, values in parsed.items()}
        gone = any(new.get(flag) for flag in TLS_KEYS) or any(map(is_tcp, new.get("host", ())))
        # A word with another flag beside, `-DH tcp://...`, stays, and is refused below.
        if not gone or any(values for flag, values in new.items() if flag not in ("host", *TLS_KEYS)):
            kept += arguments[place : place + width]
        place += width
    left = dockerd_flags.parse(kept)
    if any(map(is_tcp, left.get("host", ()))) or set(TLS_KEYS) & set(left):
        raise Impossible(
            f"the addresses in the command of the engine ({command.source('host')}) are written in a way that "
            "cannot be taken apart; write each as -H tcp://ADDRESS:PORT"
        )
    program = [word.text for word in command.words[: len(command.words) - len(arguments)]]
    prefixes = command.text[: len(command.text) - len(command.text.lstrip("@-:+!|"))]
    # `@` takes another word, and `:` other quoting; neither matters to dockerd.
    return prefixes.replace("@", "").replace(":", "") + " ".join(map(_quoted, (*program, *kept)))


def _quoted(word: str) -> str:
    """As systemd reads one word (systemd.syntax(7), systemd.service(5))."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if not word or any(sign in word for sign in " \t\n'\"\\;") else text


def _other(name: str, unit: Mapping[str, Any], found: Way) -> None:
    """A foreign socket unit of the service keeps its local addresses and loses those of TCP."""
    addresses = [each["address"] for each in unit["listens"]]
    local = [address for address in addresses if address.startswith(("/", "@", "vsock:"))]
    ours = drop_in(name)
    if local == addresses or (unit["active"] != "active" and not is_enabled(unit)):
        # Our own drop-in of a former run is what keeps it closed.
        return
    if local:
        listens = "".join(f"ListenStream={address}\n" for address in local)
        found.files[ours] = f"{_HEAD}[Socket]\nListenStream=\n{listens}"
        found.sockets[name] = True
        return
    if unit["enabled"] in ("static", "generated", "transient", "indirect"):
        raise Impossible(
            f"{name} opens {', '.join(addresses)} and cannot be disabled ({unit['enabled']}); take it out of what "
            f"pulls it in (systemctl list-dependencies --reverse {name})"
        )
    if is_enabled(unit):
        found.enabled[name] = False
    if unit["active"] == "active":
        found.sockets[name] = False


def _own(wish: Wish, service: str, unit: Mapping[str, Any], found: Way) -> None:
    if unit.get("drop_ins"):
        raise Impossible(
            f"{TCP_SOCKET} has drop-ins ({', '.join(unit['drop_ins'])}), which would add addresses of their own; "
            "remove them"
        )
    wants = wish.transport == SOCKET_UNIT
    if wants:
        found.files[UNIT_FILE] = _unit(wish, service)
        found.enabled[TCP_SOCKET] = True
        found.sockets[TCP_SOCKET] = True
        return
    found.files[UNIT_FILE] = None
    if is_enabled(unit):
        found.enabled[TCP_SOCKET] = False
    if unit.get("active") == "active":
        found.sockets[TCP_SOCKET] = False


def _unit(wish: Wish, service: str) -> str:
    listens = "".join(f"ListenStream={endpoint}\n" for endpoint in wish.endpoints)
    # FreeBind: at boot the address may come later than the socket. The service wants it, so that one order restarts
    # both.
    return (
        f"{_HEAD}[Unit]\nDescription=Docker API on TCP, with TLS\nDocumentation=man:dockerd(8)\n\n"
        f"[Socket]\n{listens}FreeBind=true\nService={service}\n\n[Install]\nWantedBy=sockets.target {service}\n"
    )


def changes(wanted: Way, units: Mapping[str, Any], texts: Mapping[str, str | None]) -> Iterator[Step]:
    """The steps of what is not so yet; `texts` are the files as they are.

    A unit is disabled while its file is there, and enabled when it is.
    """
    for name, enabled in wanted.enabled.items():
        if not enabled and is_enabled(units.get(name, {})):
            yield steps.enablement(name, False)
    for path, text in wanted.files.items():
        if texts.get(path) != text:
            yield steps.file(ROOT, path, text)
    for name, enabled in wanted.enabled.items():
        if enabled and not is_enabled(units.get(name, {})):
            yield steps.enablement(name, True)


def moving(wanted: Way, units: Mapping[str, Any], texts: Mapping[str, str | None]) -> dict[str, bool]:
    """The socket units that have to open or close: those that are not as wanted, or whose file changes."""
    files = {TCP_SOCKET: UNIT_FILE, **{name: drop_in(name) for name in wanted.sockets if name != TCP_SOCKET}}
    return {
        name: opened
        for name, opened in wanted.sockets.items()
        if (units.get(name, {}).get("active") == "active") != opened
        or (opened and texts.get(files[name]) != wanted.files.get(files[name]))
    }
