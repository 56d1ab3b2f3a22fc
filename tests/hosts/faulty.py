# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a test host, with its python3 alone: the real module in this process, with a fault at a chosen call.

`python3 faulty.py run MODULE FAULT` takes the module's input on stdin; FAULT is JSON:

    what      "kill" (SIGKILL of this process), "signal" (SIGTERM to it), "full" (the call fails with ENOSPC),
              "fill" (the disk behind `disk` gets full), or "" for none
    at        the number of the point where it happens, from 1
    after     the call from which on they are counted, if not from the first on
    place     in place of the number: the line of `points`, the first time
    kinds     the calls that count: names of CALLS, "systemctl" (of the system or of an account), "loginctl",
              "useradd", "userdel", and "api" for orders to the engine; each is a point before it, for a program
              another after it
    undone    whether the commit fails, so that the run goes on with undoing
    points    a file that gets a line for each point: the call with what called it

`python3 faulty.py look [DIRECTORY]` prints what must be the same before and after a fault, below that directory too.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import http.client
import json
import os
import runpy
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATE = "/var/lib/bulwark"
SOCKET = "/run/docker.sock"
PACKAGE = "ansible_collections.bulwark.docker.plugins"
CHANGES = "/bulwark/docker/plugins/module_utils/changes/"
CALLS = {
    "fsync": os,
    "mkdir": os,
    "mkstemp": tempfile,
    "posix_fallocate": os,
    "rename": os,
    "rmdir": os,
    "unlink": os,
    "write": os,
}
SAFE_METHODS = ("GET", "HEAD")
ORDERS = (
    *("daemon-reload", "reload", "reset-failed", "restart", "start", "stop"),
    *("disable", "enable", "mask", "unmask"),
)
# Copies that the tools of shadow keep of what they edit, and their common lock.
NOISE = ("/etc/.pwd.lock", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-")


class Points:
    """Counts the points of a run and makes the fault happen."""

    def __init__(self, fault: dict[str, Any]) -> None:
        self._fault = {
            "what": "",
            "at": 0,
            "kinds": [],
            "undone": False,
            "points": "",
            "after": "",
            "place": "",
            **fault,
        }
        self._passed = 0
        self._busy = False

    def watch(self) -> None:
        for name, owner in CALLS.items():
            if name in self._fault["kinds"]:
                setattr(owner, name, self._around(name, getattr(owner, name)))
        if "api" in self._fault["kinds"]:
            http.client.HTTPConnection.request = self._request()  # type: ignore[method-assign]
        setattr(subprocess, "Popen", self._popen())  # noqa: B010 (mypy knows it for a type)
        if self._fault["undone"]:
            transaction = __import__(
                f"{PACKAGE}.module_utils.changes.transaction.journal", fromlist=["Transaction"]
            )
            transaction.Transaction.commit = _refuse

    def _around(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.point(name)
            return real(*arguments, **named)

        return call

    def _request(self) -> Callable[..., None]:
        real = http.client.HTTPConnection.request

        def request(connection: Any, method: str, *arguments: Any, **named: Any) -> None:
            if method not in SAFE_METHODS:
                self.point(f"api {method}")
            real(connection, method, *arguments, **named)

        return request

    def _popen(self) -> Any:
        points, kinds = self, self._fault["kinds"]

        class Watched(subprocess.Popen[bytes]):
            def __init__(self, argv: list[str], **named: Any) -> None:
                # For an account's systemd it is called by runuser.
                program = "systemctl" if "systemctl" in argv else Path(argv[0]).name
                orders = [word for word in argv[1:] if word in ORDERS]
                self.name = f"{program} {orders[0]}" if program == "systemctl" and orders else ""
                if program in ("loginctl", "useradd", "userdel"):
                    self.name = program
                if program not in kinds:
                    self.name = ""
                if self.name:
                    points.point(self.name)
                super().__init__(argv, **named)

            def wait(self, *arguments: Any, **named: Any) -> Any:
                answer = super().wait(*arguments, **named)
                if self.name:
                    points.point(f"{self.name} done")
                    self.name = ""
                return answer

        return Watched

    def point(self, name: str) -> None:
        callers = _callers()
        if self._busy or not callers:
            return
        if self._fault["after"]:
            if name == self._fault["after"]:
                self._fault["after"] = ""
            return
        self._passed += 1
        place = f"{name}: {callers}"
        if self._fault["points"]:
            with Path(self._fault["points"]).open("a", encoding="utf-8") as stream:
                stream.write(f"{place}\n")
        if self._passed == self._fault["at"] or place == self._fault["place"]:
            self._fault["place"] = ""
            self._busy = True
            try:
                self._happen()
            finally:
                self._busy = False

    def _happen(self) -> None:
        what = self._fault["what"]
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "signal":
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
        elif what == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif what == "fill":
            _fill(Path(self._fault["disk"], ".filler"))


def _refuse(*_unused: Any, **_named: Any) -> None:
    raise OSError(errno.ENOSPC, "the commit fails, as the test wants")


def _fill(path: Path) -> None:
    """Not a byte is left there until this process ends."""
    atexit.register(path.unlink)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    size = 65536
    while size:
        try:
            if not os.write(handle, b"x" * size):
                break
        except OSError:
            size //= 2
    os.close(handle)


def _callers() -> str:
    """The functions of the layer `changes` that lead here, the outermost first."""
    names, frame = [], sys._getframe(2)
    while frame:
        if CHANGES in frame.f_code.co_filename:
            names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return " > ".join(reversed(names))


def run(module: str, fault: dict[str, Any]) -> None:
    Points(fault).watch()
    sys.argv = [module]
    runpy.run_module(f"{PACKAGE}.modules.{module}", run_name="__main__")


def look(*more: str) -> dict[str, Any]:
    """The host as a fault must leave it: {tree, unit, engine, containers, left, transactions}."""
    trees = [_tree(Path(each)) for each in ("/etc", *more)]
    return {
        "tree": {path: facts for tree in trees for path, facts in tree.items()},
        "unit": _properties("docker.service", "ActiveState", "SubState"),
        "socket": _properties("docker.socket", "ActiveState", "SubState"),
        **_engine(),
        "left": _left(),
        "staged": sorted(map(str, Path(STATE).glob("staged/*"))),
        "open": [
            str(path.parent)
            for path in sorted(Path(STATE).glob("transactions/*/manifest.json"))
            if json.loads(path.read_bytes())["state"] == "open"
        ],
    }


def _tree(root: Path) -> dict[str, list[Any]]:
    found = {}
    for folder, _folders, files in os.walk(root):
        for path in [folder, *(os.path.join(folder, name) for name in files)]:  # noqa: PTH118 (many)
            if path not in NOISE:
                found[path] = _facts(path)
    return found


def _facts(path: str) -> list[Any]:
    seen = os.lstat(path)
    content = ""
    if stat.S_ISLNK(seen.st_mode):
        content = str(Path(path).readlink())
    elif stat.S_ISREG(seen.st_mode):
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return [oct(seen.st_mode), seen.st_uid, seen.st_gid, content]


def _properties(unit: str, *names: str) -> list[str]:
    command = ["systemctl", "show", f"--property={','.join(names)}", unit]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def _engine() -> dict[str, Any]:
    """{answers, live_restore, containers: {name: pid}}; what cannot be asked is None."""
    unknown = {"answers": False, "live_restore": None, "containers": None}
    # A client would make systemd start it.
    if _properties("docker.service", "ActiveState") != ["ActiveState=active"]:
        return unknown
    try:
        _get("/version")
        names = [each["Names"][0].lstrip("/") for each in _get("/containers/json")]
        containers = {name: _get(f"/containers/{name}/json")["State"]["Pid"] for name in sorted(names)}
        live = _get("/info")["LiveRestoreEnabled"]
        others = [each["Image"] for each in _get("/containers/json?all=1") if each["State"] != "running"]
        others += [tag for each in _get("/images/json") for tag in each["RepoTags"] or ()]
    except (OSError, http.client.HTTPException, ValueError) as problem:
        return {**unknown, "problem": str(problem)}
    return {"answers": True, "live_restore": live, "containers": containers, "others": sorted(others)}


def _get(path: str) -> Any:
    with contextlib.closing(http.client.HTTPConnection("docker", timeout=10)) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        connection.sock.connect(SOCKET)
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())


def _left() -> list[str]:
    """What a run that ended may not leave: temporary files, locks, what it has staged."""
    found = [*Path("/etc").rglob("*.bulwark"), *Path("/etc").glob("*.lock"), *Path("/etc").rglob("*.filler")]
    found += [*Path(STATE).rglob("*.bulwark"), *Path(STATE).rglob("reserve")]
    return sorted(str(path) for path in found if str(path) not in NOISE)


if __name__ == "__main__":
    if sys.argv[1] == "look":
        print(json.dumps(look(*sys.argv[2:])))
    else:
        run(sys.argv[2], json.loads(sys.argv[3]))
