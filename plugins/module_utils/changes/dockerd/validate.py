# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installed dockerd itself says of a configuration, before it is written: `dockerd --validate`."""

from __future__ import annotations

import json
import os
import re

from ansible_collections.bulwark.docker.plugins.module_utils.base import identity, redact
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.command_line import CommandLine
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.engine_versions import numbers
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import daemon_json

TIME_LIMIT = 20
# Engines before answer `unknown flag: --validate`.
FIRST = (23,)
_VERSION = re.compile(r"version ([0-9][^\s,]*)")
_PREFIX = "Status: "
_UNKNOWN = "unknown flag: --validate"
_CONFLICT = "the following directives are specified both as a flag and in the configuration file: "
# A line of dockerd's log, as it stands around the message.
_LOGGED = re.compile(r'\btime="[^"]*" level=(?P<level>\w+) msg="(?P<message>(?:[^"\\]|\\.)*)"')


def version(command: CommandLine, owner: Owner) -> str | None:
    """The version of the installed dockerd, such as 26.1.5+dfsg1; the running one may be older.

    `owner` is whose engine it is: an account chooses the program of its own unit, so it runs with the account's ids.
    None when it does not say. Raises Unreadable when the program is not there or hangs.
    """
    done = identity.run(owner, [_program(command), "--version"], TIME_LIMIT)
    match = _VERSION.search(done.out)
    return match.group(1) if match else None


def validate(
    command: CommandLine, owner: Owner, content: bytes, version: str | None, ids_to_come: bool = False
) -> str | None:
    """Why that dockerd, with its unit's flags, would refuse `content` as its configuration file.

    None when it would not, or when it is too old to tell. With `ids_to_come` the account of userns-remap or its
    ranges are made later, and not looked at. The content goes through an inherited file without a
    name: nothing is written, and no running engine is asked. `owner` and Unreadable as for version().
    """
    if version is not None and numbers(version) < FIRST:
        return None
    handle = os.memfd_create("daemon.json")
    try:
        with os.fdopen(os.dup(handle), "wb") as stream:
            stream.write(_harmless(content, ids_to_come))
        os.lseek(handle, 0, os.SEEK_SET)
        path = f"/proc/self/fd/{handle}"
        # The last --config-file counts.
        flags = (*_flags(command), f"--config-file={path}", "--validate")
        done = identity.run(owner, [_program(command), *flags], TIME_LIMIT, pass_fds=(handle,))
    finally:
        os.close(handle)
    output = done.err + done.out
    if done.status == 0 or _UNKNOWN in output:
        return None
    return _message(output).replace(path, command.config_file) or f"dockerd ended with {done.status}"


def _program(command: CommandLine) -> str:
    """dockerd itself, also where the unit starts it by a script."""
    program = command.program or "dockerd"
    return program if program.endswith("/dockerd") else "dockerd"


def _harmless(content: bytes, ids_to_come: bool) -> bytes:
    """The content, with another account for one that is not there yet, and that `--validate` might make itself.

    Seen with 26.1.5: userns-remap default makes dockremap and writes /etc/subuid. root is taken as it is there.
    """
    # Whoever gave it has read it in the same way. What dockerd might read and we cannot, it is not shown.
    settings = daemon_json.parse(content)["settings"]
    if settings is None:
        raise Unreadable(
            "The file is no JSON object that can be read, and dockerd is not asked about it; mend it by hand"
        )
    value = settings.get("userns-remap")
    if value != "default" and not (value and ids_to_come):
        return content
    return json.dumps({**settings, "userns-remap": "root"}).encode()


def _flags(command: CommandLine) -> list[str]:
    words = command.arguments
    words = words[: words.index("--")] if "--" in words else words
    if "default" in command.flags.get("userns-remap", ()):
        words = [*words, "--userns-remap=root"]
    return words


def _message(output: str) -> str:
    """The last thing it says, without the values that it quotes: they may be secrets."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    logged = [match for match in map(_LOGGED.search, lines) if match]
    fatal = [match.group("message") for match in logged if match.group("level") in ("fatal", "error")]
    plain = [line for line in lines if not _LOGGED.search(line) and not line.startswith(("See ", "Usage:"))]
    message = (plain or fatal or [""])[-1]
    start, conflict, details = message.partition(_CONFLICT)
    if conflict:
        message = start + conflict + ", ".join(re.findall(r"(?:^|, )([\w.-]+): \(from flag: ", details))
    return redact.url(message[len(_PREFIX) :] if message.startswith(_PREFIX) else message)
