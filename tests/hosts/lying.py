# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that has fallen: it runs the modules that Ansible hands over, and answers as it likes."""

from __future__ import annotations

import json
from typing import Any

from tests.hosts.host import Host

# On the host, in place of its interpreter: it runs the module, and then says what it likes about some of them.
LIAR = "/usr/local/bin/liar"
_LIAR = """#!/usr/bin/python3
import json, os, subprocess, sys
lies = json.load(open("/root/lies.json"))
given = sys.stdin.buffer.read() if not sys.stdin.isatty() else b""
# Pipelining hands the module over by stdin; otherwise it is a file of that name.
text = given.decode(errors="replace") + " ".join(sys.argv[1:])
done = subprocess.run(["/usr/bin/python3", *sys.argv[1:]], input=given, stdout=subprocess.PIPE)
answer = done.stdout
for module, lie in lies.items():
    if module not in text:
        continue
    try:
        honest = json.loads(answer)
    except ValueError:
        continue
    for path, value in lie:
        part = honest
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = value
    answer = json.dumps(honest).encode()
sys.stdout.buffer.write(answer)
sys.exit(done.returncode)
"""
# How Ansible calls the modules that the tests lie about in what it hands over.
AUDITED, SETUP = "compliance_info", "ansible.modules.setup"


def lie(host: Host, lies: dict[str, list[tuple[list[Any], Any]]]) -> None:
    """From now on the host answers so: by module, the places of its result and what is there instead."""
    host.put(LIAR, _LIAR, 0o755)
    host.put("/root/lies.json", json.dumps(lies))
