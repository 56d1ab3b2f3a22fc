# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: the least a Python process can do to learn what the API tells of all containers. Runs on the host."""

import http.client
import json
import socket


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect("/run/docker.sock")


connection = Connection("localhost")


def get(path):
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


for path in ("/info", "/version", "/images/json", "/networks"):
    get(path)
for container in get("/containers/json?all=1"):
    get(f"/containers/{container['Id']}/json")
