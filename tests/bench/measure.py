# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command on the host and print what it cost, as JSON: seconds of wall clock and CPU, peak memory, processes.

Usage: measure.py COMMAND... ; the processes are those of the whole kernel, so measure on a quiet machine.
"""

import json
import os
import subprocess
import sys
import time


def processes_started():
    with open("/proc/stat", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("processes "))


before, begun = processes_started(), time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
output = child.stdout.read()
errors = child.stderr.read().decode(errors="replace")
_, status, usage = os.wait4(child.pid, 0)
print(
    json.dumps(
        {
            "rc": os.waitstatus_to_exitcode(status),
            "wall": time.monotonic() - begun,
            "cpu": usage.ru_utime + usage.ru_stime,
            "memory": usage.ru_maxrss * 1024,
            # Threads of this host's daemons count as well: the kernel does not tell them apart.
            "processes": processes_started() - before,
            "output": output.decode(errors="replace"),
            "errors": errors,
        }
    )
)
