# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Ansible against test hosts as a user would: the command-line tools, in the clone, over docker exec."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts.engine import CLONE

TIME_LIMIT = 600
DOCKER = "community.docker.docker"
ENVIRONMENT = {
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_FORCE_COLOR": "0",
    # Named, because looking for it costs a round trip per run.
    "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
}
JSON_OUTPUT = {
    "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
    "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    "ANSIBLE_JSON_INDENT": "0",
}


class PlayError(RuntimeError):
    """Ansible itself failed: no result came back, or a playbook that had to succeed did not."""


@dataclass(frozen=True)
class Played:
    """A playbook that ran."""

    rc: int
    stdout: str
    stderr: str


def module(
    host: str,
    fqcn: str,
    arguments: Mapping[str, Any],
    *,
    check: bool = False,
    diff: bool = False,
    user: str | None = None,
) -> dict[str, Any]:
    """The result of a module on `host`, failed or not; PlayError when it gave none."""
    options = [
        # An empty object would be read as a free-form argument.
        *(["--args", json.dumps(arguments)] if arguments else []),
        *(["--check"] if check else []),
        *(["--diff"] if diff else []),
        *(["--user", user] if user else []),
    ]
    done = _ansible("ansible", [host], [host, "--module-name", fqcn, *options], JSON_OUTPUT)
    try:
        result = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][host]
    except (ValueError, LookupError) as error:
        raise PlayError(f"Module {fqcn} gave no result on {host}:\n{done.stdout}{done.stderr}") from error
    # Instead of a result there is what came over the connection, also when the host is not there.
    if result.get("unreachable") or "module_stdout" in result:
        raise PlayError(f"Module {fqcn} gave no result on {host}: {result}")
    return dict(result)


def playbook(
    hosts: Sequence[str],
    name: str | Path,
    extra_vars: Mapping[str, Any] | None = None,
    *options: str,
    check: bool = True,
) -> Played:
    """Runs playbook `name` (a path in the clone, or an FQCN) with `hosts` as inventory."""
    done = _ansible(
        "ansible-playbook", hosts, [str(name), "--extra-vars", json.dumps(extra_vars or {}), *options], {}
    )
    if check and done.returncode != 0:
        raise PlayError(f"Playbook {name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Played(done.returncode, done.stdout, done.stderr)


def _ansible(
    program: str, hosts: Sequence[str], arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), "--inventory", ",".join(hosts) + ",",
         # Not by a variable of the command line, which would count for the controller too.
         "--connection", DOCKER, *arguments],
        cwd=CLONE, env={**os.environ, **ENVIRONMENT, **environment}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="surrogateescape", timeout=TIME_LIMIT, check=False,
    )  # fmt: skip
