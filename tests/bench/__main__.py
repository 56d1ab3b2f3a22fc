# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit costs: `make bench` measures on real hosts and prints the tables of docs/performance.md.

CPU counts the module with every process it starts, not what dockerd spends to answer.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import docker  # type: ignore[import-untyped]

from tests.hosts import play, room
from tests.hosts.host import Host

HERE = Path(__file__).parent
ENGINE_HOST = "trixie"
CONTAINERS = (0, 100, 300)
HOSTS = (1, 10)
REPEATS = 5
# Wholly default containers: nothing is hardened, so the findings are as large as they get.
START = """
for n in $(seq {first} {last}); do
    docker run --detach --name web-$n busybox:test sleep 100000
done >/dev/null
"""
KEEP = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0"}
PAYLOAD = "ls -t /root/.ansible/tmp/*/AnsiballZ_{name}.py | head -n 1"
AUDIT = "bulwark.docker.compliance_info"
LISTENERS = "bulwark.docker.listening_services"
# A module that does nothing: what Ansible itself costs on a host.
EMPTY = "ansible.builtin.ping"

Run = dict[str, Any]


def main() -> None:
    print(
        f"{os.cpu_count()} CPUs ({platform.processor() or platform.machine()}), Linux {platform.release()}."
    )
    client = docker.from_env()
    one_host(client)
    many_hosts(client)


def one_host(client: Any) -> None:
    """The module against the floor, with more and more containers."""
    host = Host.create(client, ENGINE_HOST)
    try:
        host.import_busybox()
        for name in ("floor.py", "measure.py"):
            host.put(f"/root/{name}", (HERE / name).read_text(encoding="utf-8"))
        figures = {}
        for before, wanted in zip((0, *CONTAINERS), CONTAINERS):
            if wanted > before:
                host.run(START.format(first=before + 1, last=wanted), timeout=1800)
            figures[wanted] = measured(host)
            print(f"{wanted} containers measured, load {os.getloadavg()[0]:.1f}", flush=True)
    finally:
        host.destroy()
    table("Containers", CPU, figures)
    table("Containers", REST, figures)
    table("Containers", REPORT, figures)


def measured(host: Host) -> dict[str, Run]:
    """The median run of each of the commands that are compared, taken in turn: the machine's load varies."""
    commands = {
        "start": ["-c", "pass"],
        "empty": [payload(host, EMPTY, {})],
        "floor": ["/root/floor.py"],
        "baseline": [payload(host, AUDIT, {"profile": "baseline"})],
        "strict": [payload(host, AUDIT, {"profile": "strict"})],
        "listeners": [payload(host, LISTENERS, {})],
    }
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for _unused in range(REPEATS):
        for name, words in commands.items():
            runs[name].append(run(host, words))
    return {name: median(some) for name, some in runs.items()}


def payload(host: Host, module: str, arguments: dict[str, str]) -> str:
    """The path of the module as Ansible ships it to the host, with its arguments inside."""
    with patch.dict(os.environ, KEEP):
        play.module(host.name, module, arguments)
    return host.run(PAYLOAD.format(name=module.rpartition(".")[2])).stdout.strip()


def run(host: Host, words: list[str]) -> Run:
    """What it cost to run Python with `words` on the host, see measure.py."""
    answer: Run = json.loads(host.run(["python3", "/root/measure.py", "python3", *words]).stdout)
    if answer["rc"] != 0:
        raise RuntimeError(f"{words} ended with {answer['rc']}: {answer['errors']}{answer['output'][:500]}")
    return answer


def median(runs: list[Run]) -> Run:
    """The run with the median CPU time."""
    middle = statistics.median_low([run["cpu"] for run in runs])
    return next(run for run in runs if run["cpu"] == middle)


def ratio(figures: dict[str, Run], beyond: str) -> str:
    """The module's CPU beyond that of another command, in multiples of the floor's beyond Python's start."""
    module, floor = figures["baseline"]["cpu"], figures["floor"]["cpu"]
    return f"{(module - figures[beyond]['cpu']) / (floor - figures['start']['cpu']):.1f}"


def findings(run: Run) -> str:
    """Bytes of the findings as compact JSON."""
    shown = json.dumps(json.loads(run["output"])["findings"], separators=(",", ":"), ensure_ascii=False)
    return f"{len(shown.encode()) / 1e3:.1f} kB"


CPU = {
    "Python's start": lambda figures: f"{figures['start']['cpu']:.3f} s",
    "Empty module": lambda figures: f"{figures['empty']['cpu']:.3f} s",
    "Floor": lambda figures: f"{figures['floor']['cpu']:.3f} s",
    "Module": lambda figures: f"{figures['baseline']['cpu']:.3f} s",
    "Ratio beyond Python's start": lambda figures: ratio(figures, "start"),
    "Ratio beyond an empty module": lambda figures: ratio(figures, "empty"),
}
REST = {
    "Wall": lambda figures: f"{figures['baseline']['wall']:.2f} s",
    "Memory": lambda figures: f"{figures['baseline']['memory'] / 1e6:.0f} MB",
    "Processes": lambda figures: str(figures["baseline"]["processes"]),
    "Findings, baseline": lambda figures: findings(figures["baseline"]),
    "Findings, strict": lambda figures: findings(figures["strict"]),
}
# What listening_services takes to tell what listens, and to decide about it.
REPORT = {
    "CPU": lambda figures: f"{figures['listeners']['cpu']:.3f} s",
    "Wall": lambda figures: f"{figures['listeners']['wall']:.2f} s",
    "Memory": lambda figures: f"{figures['listeners']['memory'] / 1e6:.0f} MB",
    "Processes": lambda figures: str(figures["listeners"]["processes"]),
}


def table(first: str, columns: dict[str, Any], rows: dict[int, Any]) -> None:
    print(f"\n| {' | '.join([first, *columns])} |")
    print("| --- " * (len(columns) + 1) + "|")
    for name, figures in rows.items():
        print(f"| {' | '.join([str(name), *(show(figures) for show in columns.values())])} |", flush=True)


def many_hosts(client: Any) -> None:
    """The playbook as a whole, report included, on one host and on several at once."""
    # More than other tests may have, for nothing else runs beside a measurement.
    room.HOSTS_AT_ONCE = max(room.HOSTS_AT_ONCE, *HOSTS)
    hosts: list[Host] = []
    walls: dict[int, float] = {}
    try:
        for wanted in HOSTS:
            while len(hosts) < wanted:
                hosts.append(Host.create(client, ENGINE_HOST))
            with tempfile.TemporaryDirectory() as folder:
                begun = time.monotonic()
                play.playbook(
                    [host.name for host in hosts],
                    "bulwark.docker.audit",
                    {"compliance_report_directory": folder},
                )
                walls[wanted] = time.monotonic() - begun
    finally:
        for host in hosts:
            host.destroy()
    columns = {
        "Playbook": lambda row: f"{row[1]:.1f} s",
        "Per host": lambda row: f"{row[1] / row[0]:.2f} s",
    }
    table("Hosts", columns, {wanted: (wanted, wall) for wanted, wall in walls.items()})


main()
