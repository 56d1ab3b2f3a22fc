# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an audit costs: `make bench` measures on real hosts and prints the tables of docs/performance.md.

CPU counts the module with every process it starts, not what dockerd spends to answer.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]

from tests.hosts import play
from tests.hosts.host import Host

HERE = Path(__file__).parent
ENGINE_HOST = "trixie"
CONTAINERS = (0, 100, 300)
HOSTS = (1, 5)
REPEATS = 5
# Wholly default containers: nothing is hardened, so the findings are as large as they get.
START = "for n in $(seq {first} {last}); do docker run --detach --name web-$n busybox:test sleep 100000; done >/dev/null"
KEEP = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0"}
PAYLOAD = "ls -t /root/.ansible/tmp/*/AnsiballZ_compliance_info.py | head -n 1"


def main() -> None:
    client = docker.from_env()
    host = Host.create(client, ENGINE_HOST)
    try:
        one_host(host)
    finally:
        host.destroy()
    many_hosts(client)


def one_host(host: Host) -> None:
    """The module against the floor, with more and more containers."""
    host.import_busybox()
    host.put("/root/floor.py", (HERE / "floor.py").read_text(encoding="utf-8"))
    host.put("/root/measure.py", (HERE / "measure.py").read_text(encoding="utf-8"))
    print("| Containers | Python's start | Floor | Module | Ratio | Wall | Memory | Processes | Findings baseline / strict |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    present = 0
    for wanted in CONTAINERS:
        if wanted > present:
            host.run(START.format(first=present + 1, last=wanted), timeout=900)
            present = wanted
        start = median(host, "-c", "pass")
        floor = median(host, "/root/floor.py")
        baseline = median(host, payload(host, "baseline"))
        strict = median(host, payload(host, "strict"))
        ratio = (baseline["cpu"] - start["cpu"]) / (floor["cpu"] - start["cpu"])
        print(
            f"| {wanted} | {start['cpu']:.3f} s | {floor['cpu']:.3f} s | {baseline['cpu']:.3f} s | {ratio:.1f} "
            f"| {baseline['wall']:.2f} s | {baseline['memory'] / 1e6:.0f} MB | {baseline['processes']} "
            f"| {findings_size(baseline) / 1e3:.0f} kB / {findings_size(strict) / 1e3:.0f} kB |",
            flush=True,
        )


def payload(host: Host, profile: str) -> str:
    """The path of the module as Ansible ships it to the host, with its arguments inside."""
    arguments = {"profile": profile}
    play.module(host.name, "bulwark.docker.compliance_info", arguments, environment=KEEP)
    return host.run(PAYLOAD).stdout.strip()


def median(host: Host, *words: str) -> dict[str, Any]:
    """Runs Python with `words` on the host; the run with the median CPU time."""
    runs = []
    for _ in range(REPEATS):
        run = json.loads(host.run(["python3", "/root/measure.py", "python3", *words]).stdout)
        if run["rc"] != 0:
            raise RuntimeError(f"{words} ended with {run['rc']}: {run['errors']}{run['output'][:500]}")
        runs.append(run)
    middle = statistics.median_low(run["cpu"] for run in runs)
    return next(run for run in runs if run["cpu"] == middle)


def findings_size(run: dict[str, Any]) -> int:
    """Bytes of the findings as Ansible sends them."""
    return len(json.dumps(json.loads(run["output"])["findings"]))


def many_hosts(client: Any) -> None:
    """The playbook as a whole, report included, on one host and on several at once."""
    print("\n| Hosts | Playbook | Per host |\n| --- | --- | --- |")
    hosts: list[Host] = []
    try:
        for wanted in HOSTS:
            while len(hosts) < wanted:
                hosts.append(Host.create(client, ENGINE_HOST))
            names = [host.name for host in hosts]
            begun = time.monotonic()
            play.playbook(names, "bulwark.docker.audit", {"compliance_report_directory": "/tmp/bulwark-bench"})
            wall = time.monotonic() - begun
            print(f"| {wanted} | {wall:.1f} s | {wall / wanted:.2f} s |", flush=True)
    finally:
        for host in hosts:
            host.destroy()


main()
