# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of daemon_tls to a stage: files, the four keys, and the one way in; once all of it would work."""

from __future__ import annotations

import contextlib
import errno
import socket
import stat
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.bulwark.docker.plugins.module_utils.base import reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import ROOT, Place
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import (
    material as tls_material,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls import transport
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.material import Material
from ansible_collections.bulwark.docker.plugins.module_utils.changes.daemon_tls.transport import Way, Wish
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import (
    checks,
    command_line,
    daemon_json,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.merge import differences
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import (
    api_endpoints,
    staging,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.stage import TCP_SOCKET
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine.staging import Ground
from ansible_collections.bulwark.docker.plugins.module_utils.changes.errors import Unfit
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import atomic_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.location import located
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Step
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.ca_stores import PUBLIC_STORES
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import units

ALLOW_CLOSE = "daemon_tls_allow_close"
ALLOW_LOCKOUT = "daemon_tls_allow_lockout"
CONTROL = "listener.docker_api_unauthenticated"
# Of the files in the order of Material; dockerd runs as root and needs no more.
_MODES = (0o444, 0o444, 0o400)
_SOURCES = Material("ca.pem", "cert.pem", "key.pem")
_DIRECTORY_MODE = 0o755
_SECONDS_TO_ASK = 5.0
# Whose steps of a stage these are.
_MODULE = "daemon_tls"
_RENEWED = "its certificate, its key or its CA is another"


class Decision(NamedTuple):
    """What a wish means on this host.

    listeners   where the API listens now, as the module returns it
    settings    of daemon.json
    steps       files and units, in order
    sockets     as Stage has them
    reasons     why the engine has to restart
    """

    ground: Ground
    listeners: list[dict[str, Any]]
    settings: dict[str, Any]
    steps: list[Step]
    sockets: dict[str, bool]
    reasons: list[str]
    notices: list[str]

    @property
    def changes(self) -> bool:
        """Whether anything is not as wished."""
        live = self.ground.live.settings
        return bool(self.steps or self.sockets or self.reasons or differences(live, self.settings))


def decide(
    store: Store,
    wish: Wish,
    material: Material,
    source: str | None,
    names: Sequence[str],
    timeout: float,
    planned: bool,
) -> Decision:
    """Raises what configure.ground() does, and Unfit. `planned`: certificates may be missing that come first."""
    found = staging.ground(store, None, timeout, force=False)
    # What an earlier task of this play has decided about the same is decided anew.
    found.stage.forget(_MODULE)
    found = staging.with_stage(found, found.stage, force=False)
    known_units = units.units([TCP_SOCKET])
    endpoints = api_endpoints.api(found.target, known_units, min(timeout, _SECONDS_TO_ASK))
    wanted = _way(found, wish, known_units)
    texts = {path: reading.text(path) for path in wanted.files}
    settings = _settings(found, wanted, material if wish.endpoints else None)
    planned_steps: list[Step] = []
    reasons: list[str] = []
    notices = list(wanted.notices)
    if wish.endpoints:
        _refuse_addresses(wish.addresses)
        planned_steps, reasons, told = _files(material, source, [*names, *_specific(wish)], planned)
        notices += told
    moves = list(transport.changes(wanted, known_units, texts))
    planned_steps += moves
    sockets = transport.moving(wanted, known_units, texts)
    if _is_off(found, known_units):
        # They open when somebody starts it: the service wants docker-tcp.socket.
        sockets = {name: opened for name, opened in sockets.items() if not opened}
    if sockets or any(each.kind == "file" and each.key != transport.UNIT_FILE for each in moves):
        reasons.append("where its API listens on TCP changes")
    decision = Decision(
        found, _listeners(endpoints, wish), settings, planned_steps, sockets, reasons, notices
    )
    asked = found.target.engine["state"] != "stopped"
    if asked and not (decision.reasons or differences(found.live.settings, settings)):
        decision.reasons.extend(_unserved(endpoints, wish, material))
    return decision


def stage(decision: Decision, proof: Mapping[str, Any]) -> None:
    """Put it into the stage of its ground. Raises Unfit where dockerd would not take it."""
    known = decision.ground.stage
    for step in decision.steps:
        known.put(step, _MODULE)
    known.sockets = dict(decision.sockets)
    for reason in decision.reasons:
        known.restart_for(reason)
    known.proof = dict(proof)
    # A certificate is no reason to lose a container.
    known.consents["bridge"] = True
    found = staging.with_stage(decision.ground, known)
    problems = checks.problems(decision.settings, found.command, staging.context(found))
    if problems:
        raise Unfit([each.message for each in problems])
    content = daemon_json.render(found.staged, decision.settings)
    staging.check_with_dockerd(found, content)
    staging.put(found, content)


def refusals(
    decision: Decision, wish: Wish, allow_close: bool, play_endpoint: str | None, allow_lockout: bool
) -> list[dict[str, Any]]:
    """What needs consent: clients that have no way in any more, the play itself among them."""
    if not decision.changes:
        return []
    refused = []
    closed = [_named(each) for each in decision.listeners if each["becomes"] == "closed"]
    if closed and not wish.endpoints and not allow_close:
        message = (
            f"The API listens on {', '.join(closed)}, and its clients would find nothing there any more. To keep "
            "it, with TLS, configure a PKI (daemon_tls_pki)."
        )
        refused.append({"message": message, "consent": ALLOW_CLOSE, "control": CONTROL})
    own = _played_through(play_endpoint, decision.listeners)
    if own and not allow_lockout:
        message = (
            f"The play itself is connected through {own}, which changes; run it over SSH, or see to it that it "
            "finds the new end point."
        )
        refused.append({"message": message, "consent": ALLOW_LOCKOUT, "control": CONTROL})
    return refused


def _way(found: Ground, wish: Wish, known_units: Mapping[str, Any]) -> Way:
    target = found.target
    service = target.service.unit
    ours = {**steps.drop_ins(found.stage.steps, service), transport.drop_in(service): None}
    command = command_line.read(target.unit, target.owner, default_config=target.config_path, drop_ins=ours)
    hosts = found.staged.settings.get("hosts")
    try:
        return transport.way(wish, service, command, known_units, hosts)
    except transport.Impossible as problem:
        raise Unfit([problem.sentence]) from problem


def _settings(found: Ground, wanted: Way, material: Material | None) -> dict[str, Any]:
    """Those of daemon.json with the four keys, or without any of TLS."""
    settings = {
        key: value
        for key, value in found.staged.settings.items()
        if key not in daemon_json.TLS_KEYS and key != "hosts"
    }
    if wanted.hosts is not None:
        settings["hosts"] = wanted.hosts
    if material:
        settings.update(
            tlsverify=True, tlscacert=material.ca, tlscert=material.certificate, tlskey=material.key
        )
    return settings


def _refuse_addresses(addresses: Sequence[str]) -> None:
    """The socket opens also at an address that the host does not have, and nobody would reach it there."""
    missing = [each for each in addresses if not _is_of_this_host(each)]
    if missing:
        raise Unfit(
            [
                f"{', '.join(missing)} is no address of this host; name one that `ip address` shows "
                "(daemon_tls_addresses)"
            ]
        )


def _is_of_this_host(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        try:
            tried.bind((address, 0))
        except OSError as problem:
            return problem.errno not in (errno.EADDRNOTAVAIL, errno.EINVAL)
    return True


def _specific(wish: Wish) -> list[str]:
    return [address for address in wish.addresses if address not in ("0.0.0.0", "::")]


def _files(
    material: Material, source: str | None, names: Sequence[str], planned: bool
) -> tuple[list[Step], list[str], list[str]]:
    """(steps, reasons to restart, notices) of the certificate's files. Raises Unfit where they would not do."""
    shared = [path for path in material if path.startswith(PUBLIC_STORES)]
    if shared:
        raise Unfit(
            [
                f"{', '.join(shared)}: the CAs that this system trusts for other purposes lie there; choose a "
                "directory of the engine's own (daemon_tls_directory)"
            ]
        )
    given = Material(*(str(Path(source) / name) for name in _SOURCES)) if source else material
    missing = [path for path in given if not Path(path).is_file()]
    if missing and planned and source:
        to_come = [
            steps.install(path, origin, b"", mode) for path, origin, mode in zip(material, given, _MODES)
        ]
        return to_come, [_RENEWED], [f"{', '.join(missing)} would be made first."]
    seen = tls_material.read(given)
    problems = tls_material.problems(seen, names, time.time())
    if problems:
        raise Unfit(problems)
    found = _directories(material)
    reasons = []
    for path, origin, mode in zip(material, given, _MODES):
        content = _look(origin)
        present = _look(path)
        if content and (present is None or present[0] != content[0]):
            found.append(steps.install(path, origin, content[0], mode))
            reasons = [_RENEWED]
        elif present and (present[1].uid, present[1].gid, present[1].mode) != (0, 0, mode):
            found.append(steps.permissions(path, mode))
    return found, reasons, tls_material.notices(seen, time.time())


def _look(path: str) -> tuple[bytes, atomic_files.Image] | None:
    with located(Place(path, ROOT)) as found:
        return atomic_files.look(found.by_handle)


def _directories(material: Material) -> list[Step]:
    """Who may write into the directory of a key may replace it."""
    found = []
    for path in sorted({str(Path(each).parent) for each in material}):
        with contextlib.suppress(FileNotFoundError):
            seen = Path(path).stat()
            if (seen.st_uid, seen.st_gid) != (0, 0) or stat.S_IMODE(seen.st_mode) & ~_DIRECTORY_MODE:
                found.append(steps.permissions(path, _DIRECTORY_MODE))
    return found


def _listeners(endpoints: Sequence[Mapping[str, Any]], wish: Wish) -> list[dict[str, Any]]:
    wanted = {(address, wish.port) for address in wish.addresses}
    found = []
    for each in endpoints:
        clients = api_endpoints.clients(each)
        becomes = "converted" if wish.addresses else "closed"
        if (each["address"], each["port"]) in wanted and clients == api_endpoints.VERIFIED:
            becomes = "kept"
        found.append(
            {
                "address": each["address"],
                "port": each["port"],
                "source": each["source"],
                "clients": clients,
                "becomes": becomes,
            }
        )
    return found


def _named(listener: Mapping[str, Any]) -> str:
    return transport.named(listener["address"], listener["port"])


def _is_off(found: Ground, known_units: Mapping[str, Any]) -> bool:
    """Whether the service was stopped together with its sockets, so that no client starts it."""
    service = found.target.service
    return found.target.engine["state"] == "stopped" and not any(
        unit["active"] == "active" and service.unit in unit["triggers"] for unit in known_units.values()
    )


def _unserved(endpoints: Sequence[Mapping[str, Any]], wish: Wish, material: Material) -> list[str]:
    """Everything is written as wished, and the running engine serves something else."""
    if not wish.endpoints:
        return [f"it still listens on {_named(each)}" for each in endpoints]
    held = tls_material.read(material).certificate
    expected = (held[0]["public_key"], held[0]["not_after"])
    found = {(each["address"], each["port"]): each for each in endpoints}
    reasons = []
    for address in wish.addresses:
        each = found.pop((address, wish.port), None)
        served = each["tls"]["certificate"] if each else None
        if each is None or api_endpoints.clients(each) != api_endpoints.VERIFIED:
            reasons.append(f"{address} port {wish.port} does not demand client certificates yet")
        elif served and (served["public_key"], served["not_after"]) != expected:
            reasons.append(f"it serves another certificate than {material.certificate}")
    return reasons + [f"it still listens on {_named(each)}" for each in found.values()]


def _played_through(url: str | None, listeners: Sequence[Mapping[str, Any]]) -> str | None:
    """The end point of this engine that a Docker client with that URL uses, None for another host's."""
    if not url or not url.startswith(("tcp://", "http://", "https://")):
        return None
    parts = urlsplit(url)
    ports = [parts.port] if parts.port else [2375, 2376]
    if not any(each["port"] in ports and each["becomes"] != "kept" for each in listeners):
        return None
    try:
        known = socket.getaddrinfo(parts.hostname, None, type=socket.SOCK_STREAM)
    except OSError:
        # A name that this host does not know may be its own all the same.
        return url
    return url if any(_is_of_this_host(str(each[4][0])) for each in known) else None
