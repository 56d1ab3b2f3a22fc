# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of where the engine listens, and to whom."""

from __future__ import annotations

import os

from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.problems import (
    Case,
    Found,
    Problem,
    strings,
)


def hosts(case: Case) -> Found:
    hosts = strings(case.settings.get("hosts"))
    if not hosts or any(map(_is_local, (*hosts, *case.command.hosts))):
        return
    if case.context.rootless:
        consequence = "nobody would listen on the socket in the user's runtime directory"
    else:
        consequence = (
            "systemd would keep /run/docker.sock open with nobody behind it, and every client of it would "
            "hang"
        )
    yield Problem(
        "hosts",
        f"hosts in {case.path} has neither fd:// nor a unix:// socket: {consequence}; add fd:// where "
        "docker.socket is in use, else unix:///var/run/docker.sock",
    )


def _is_local(host: str) -> bool:
    return host.startswith(("fd://", "unix://"))


def _is_tcp(host: str) -> bool:
    return host.startswith("tcp://") or "://" not in host


def open_api(case: Case) -> Found:
    """Without --tlsverify; tls alone asks for certificates since 20.10, tlsverify false asks for none."""
    listed = strings(case.settings.get("hosts"))
    addresses = sorted(filter(_is_tcp, (*listed, *case.command.hosts)))
    if not addresses or not case.in_file("hosts", "tls", "tlsverify"):
        return
    verify = case.value("tlsverify")
    if verify is None:
        verify = case.value("tls") is True and not case.context.before(20)
    if verify is not True:
        key = "hosts" if any(map(_is_tcp, listed)) else "tlsverify"
        yield Problem(
            key,
            f"{', '.join(addresses)} without tlsverify opens the API, and with it root on this host, to "
            f"everybody who reaches that address; remove it from hosts in {case.path}, or set tlsverify to true "
            "with tlscacert, tlscert and tlskey",
        )


def tls(case: Case) -> Found:
    if case.settings.get("tlsverify") is True and not case.value("tlscacert"):
        yield Problem(
            "tlsverify",
            f"tlsverify without tlscacert in {case.path} trusts client certificates of every CA of the system; "
            "set tlscacert to the file of your own CA",
        )
    on = case.settings.get("tls") is True or case.settings.get("tlsverify") is not None
    if not on:
        return
    for key in ("tlscacert", "tlscert", "tlskey"):
        path = case.value(key)
        if not path and key != "tlscacert" and not {"tls", "tlsverify"} & set(case.command.flags):
            yield Problem(
                key,
                f"{case.path} switches TLS on without {key}, and dockerd does not start then; set {key} to the "
                "path of the file",
            )
        elif isinstance(path, str) and path and not _will_be_there(case, path):
            yield Problem(
                key,
                f"{key} names {path}, which is no file, and dockerd does not start without it; lay the file "
                f"there first, or correct {key}",
            )


def _will_be_there(case: Case, path: str) -> bool:
    # No PermissionError as of Path.is_file(): an account's dockerd does not come to such a file either.
    return path in case.context.coming or os.path.isfile(case.context.place(path))  # noqa: PTH113
