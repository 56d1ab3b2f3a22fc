# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command on the host and print what it cost, as JSON: seconds of wall clock and CPU, peak memory, processes.

Usage: measure.py COMMAND... ; the processes are those of the whole kernel, so measure on a quiet machine.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def processes_started():
    with Path("/proc/stat").open(encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("processes "))


before, begun = processes_started(), time.monotonic()
with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=said, stderr=complained)
    _unused, status, usage = os.wait4(child.pid, 0)
    said.seek(0)
    complained.seek(0)
    output, errors = said.read().decode(errors="replace"), complained.read().decode(errors="replace")
print(
    json.dumps(
        {
            "rc": os.waitstatus_to_exitcode(status),
            "wall": time.monotonic() - begun,
            "cpu": usage.ru_utime + usage.ru_stime,
            "memory": usage.ru_maxrss * 1024,
            # Threads of this host's daemons count as well: the kernel does not tell them apart.
            "processes": processes_started() - before,
            "output": output,
            "errors": errors,
        }
    )
)
