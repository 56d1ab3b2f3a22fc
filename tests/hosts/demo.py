# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway host with a careless engine: audited, hardened, audited again; `make demo` runs it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.hosts import engine, images, play, room, states
from tests.hosts.engine import CLONE
from tests.hosts.host import Host, HostError

IMAGE = "trixie"
REPORTS = CLONE / "reports" / "demo"
CARELESS = {
    "debug": True,
    "icc": True,
    "insecure-registries": ["registry.example:5000"],
    "log-level": "debug",
    "userland-proxy": True,
}


def main() -> None:
    client = engine.ensure()
    images.ensure(client, (IMAGE,))
    room.sweep(client)
    # Those of an earlier demo.
    shutil.rmtree(REPORTS, ignore_errors=True)
    print("A host with a careless engine and two containers ...", flush=True)
    host = Host.create(client, IMAGE)
    try:
        _make_careless(host)
        before = _run(host, "audit")
        _run(host, "harden")
        after = _run(host, "audit")
        running = host.docker("ps", "--format", "{{.Names}}").stdout.split()
    finally:
        host.destroy()
    print(f"\nScore before {before:.1f} %, after {after:.1f} %. Still running: {', '.join(sorted(running))}.")
    print(f"The reports are in {REPORTS}.")


def _make_careless(host: Host) -> None:
    states.start_docker(host, CARELESS)
    host.run(f"chmod 0666 {states.DAEMON_JSON} /run/docker.sock")
    host.import_busybox()
    host.docker("run", "--detach", "--name", "web", "--publish", "8080:80", "busybox:test", "sleep", "3600")
    socket = "/var/run/docker.sock:/var/run/docker.sock"
    host.docker("run", "--detach", "--name", "ci", "--volume", socket, "busybox:test", "sleep", "3600")


def _run(host: Host, playbook: str) -> float:
    """Run the playbook of that name as a user does, show its summary, and return the score of its report."""
    directory = _directory(playbook)
    done = play.playbook(
        [host.name],
        f"bulwark.docker.{playbook}",
        {"compliance_report_directory": str(directory), "compliance_report_summary_limit": 5},
    )
    print(f"\n== bulwark.docker.{playbook} ==\n{_summary(done.stdout)}", flush=True)
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    return float(report["totals"]["score"]["percent"])


def _directory(playbook: str) -> Path:
    """One for each run, numbered in the order of the runs."""
    number = len(list(REPORTS.glob("*"))) + 1
    return REPORTS / f"{number}-{playbook}"


def _summary(output: str) -> str:
    """What the report says on the terminal, out of all that ansible-playbook prints."""
    lines = output.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("Docker host audit: "))
    end = next(place for place in range(start, len(lines)) if lines[place].startswith("Report "))
    return "\n".join(lines[start:end]).rstrip()


if __name__ == "__main__":
    try:
        main()
    except (engine.Unavailable, room.NoRoom, HostError, play.PlayError) as problem:
        sys.exit(str(problem))
