# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program for a host: listens to the unix socket `argv[1]` and takes no connection, for `argv[2]` seconds.

Its backlog has no room, so that who connects waits; it prints `full` then. What lay at the path comes back afterwards.
"""

from __future__ import annotations

PROGRAM = """
import os, socket, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
if os.path.lexists(path):
    os.rename(path, path + ".aside")
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(0)
clients = []
while True:
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    clients.append(client)
    try:
        client.connect(path)
    except BlockingIOError:
        break
print("full", flush=True)
time.sleep(seconds)
os.unlink(path)
if os.path.lexists(path + ".aside"):
    os.rename(path + ".aside", path)
"""
