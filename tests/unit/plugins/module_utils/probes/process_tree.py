# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes for the probes: real ones under any command line, and entries as processes.walk() gives them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any


@contextlib.contextmanager
def running(*words: str, script: str = "", pass_fds: Sequence[int] = (), **variables: str) -> Iterator[int]:
    """A process with the command line `words[0] -c CODE words[1:]` that has run `script`; yields its pid."""
    code = f"{script}\nprint(flush=True)\nimport time\ntime.sleep(60)"
    command = [words[0], "-c", code, *words[1:]]
    # Python looks for its library beside argv[0] unless told.
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix, **variables}
    with subprocess.Popen(
        command, executable=sys.executable, stdout=subprocess.PIPE, env=environment, pass_fds=pass_fds
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield process.pid
        finally:
            process.kill()


def entry(pid: int, name: str, ppid: int = 1, uid: int = 0, cgroup: str = "/") -> dict[int, dict[str, Any]]:
    """{pid: process}."""
    return {
        pid: {"pid": pid, "ppid": ppid, "name": name, "uid": uid, "gid": uid, "cgroup": cgroup, "status": {}}
    }
