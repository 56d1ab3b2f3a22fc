# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make faults`: kill the modules that change a host with SIGKILL at random times, and count what that costs.

    python -m tests.faults [--kills 40] [--image trixie] [--seed N] [--only NAME]

Each kill: the host as it is, the module, SIGKILL after a random part of the time that it takes, a look, then the same
module again (every other time) or `daemon_apply` with `state: resolved`. After that all is as wished, or as before.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Mapping
from typing import Any

from tests.faults.workloads import WORKLOADS, Workload
from tests.hosts import engine, images
from tests.hosts.auditing import MODULES, library
from tests.hosts.host import Host

# Starts the module and kills it, and it alone, after that many seconds.
_KILLER = """
import subprocess, sys
process = subprocess.Popen([sys.executable, "-m", sys.argv[1]], stdin=sys.stdin, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, start_new_session=True)
try:
    process.wait(float(sys.argv[2]))
except subprocess.TimeoutExpired:
    process.kill()
    process.wait()
print(process.returncode)
"""
# What a killed run may leave behind for a moment: an engine that is starting.
_PATIENCE = 3
COUNTS = (
    *("kills", "ended before", "engine down after the kill", "engine down at the end", "containers lost"),
    *("second run failed", "false success", "not as before", "left open"),
)


class Campaign:
    """One workload on one host, with what was counted."""

    def __init__(self, host: Host, workload: Workload, chance: random.Random) -> None:
        self.host = host
        self.work = workload
        self.chance = chance
        self.counts = dict.fromkeys(COUNTS, 0)
        self.stories: list[str] = []

    def module(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a module that is let alone."""
        done = self.host.run(
            ["env", f"PYTHONPATH={library(self.host)}", "python3", "-m", f"{MODULES}.{name}"],
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": dict(options)}),
            check=False,
        )
        try:
            return dict(json.loads(done.stdout))
        except ValueError:
            return {"failed": True, "msg": f"no result: {done.stderr[-2000:]}"}

    def killed(self, name: str, options: Mapping[str, Any], seconds: float) -> bool:
        """Whether the module was killed after that time, or had ended by then."""
        done = self.host.run(
            [
                "env",
                f"PYTHONPATH={library(self.host)}",
                "python3",
                "-c",
                _KILLER,
                f"{MODULES}.{name}",
                str(seconds),
            ],
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": dict(options)}),
        )
        return done.stdout.strip() == "-9"

    def run(self, kills: int) -> None:
        """All kills."""
        self.work.prepare(self.host)
        length = self._length()
        number = 0
        # Some runs are quicker than the one that was measured.
        while self.counts["kills"] < kills and number < 3 * kills:
            self._one(number, length)
            number += 1
            print(f"{self.work.name}: {self.counts['kills']} of {kills}", file=sys.stderr)

    def _length(self) -> float:
        """How long it takes when nobody kills it, in seconds."""
        self.work.reset(self.host)
        begun = time.monotonic()
        for name, options in self.work.modules:
            told = self.module(name, options)
            assert not told.get("failed"), told
        return time.monotonic() - begun

    def _one(self, number: int, length: float) -> None:
        self.work.reset(self.host)
        before, running = self.work.look(self.host), self._containers()
        when = self.chance.uniform(0.05, length)
        begun, was_killed = time.monotonic(), False
        for name, options in self.work.modules:
            left = when - (time.monotonic() - begun)
            was_killed = left <= 0 or self.killed(name, options, left)
            if was_killed:
                break
        if not was_killed:
            self._count("ended before")
            return
        self._count("kills")
        time.sleep(_PATIENCE)
        if not self._answers():
            self._count("engine down after the kill", when)
        again = number % 2 == 0
        if again:
            results = [self.module(name, options) for name, options in self.work.modules]
        else:
            results = [self.module("daemon_apply", {"state": "resolved", "settle": 0.5})]
        if any(told.get("failed") for told in results):
            self._count(
                "second run failed", when, next(told for told in results if told.get("failed"))["msg"]
            )
        elif again and self.work.wished not in self.work.look(self.host):
            self._count("false success", when)
        elif (
            not again
            and self.work.look(self.host) != before
            and self.work.wished not in self.work.look(self.host)
        ):
            self._count("not as before", when, self.work.look(self.host))
        if not self._answers():
            self._count("engine down at the end", when)
        if self._containers() != running:
            self._count("containers lost", when)
        if self.host.run(f"{_OPEN}; true").stdout:
            self._count("left open", when)

    def _count(self, what: str, when: float = 0.0, story: str = "") -> None:
        self.counts[what] += 1
        if what not in ("kills", "ended before"):
            self.stories.append(f"{self.work.name}: {what}, killed after {when:.3f} s {story}")

    def _answers(self) -> bool:
        return self.host.run(["docker", "version"], check=False).rc == 0

    def _containers(self) -> list[str]:
        """The first process of each container of the system's engine, with its start."""
        return sorted(self.host.run(_PROCESSES).stdout.split("\n"))


_OPEN = (
    'grep -l \'"state": "open"\' /var/lib/bulwark/transactions/*/manifest.json 2>/dev/null; '
    "find /etc /home/worker /var/lib/bulwark -name '*.bulwark' 2>/dev/null"
)
_PROCESSES = """
for id in $(docker ps --quiet --no-trunc); do
    pid=$(docker inspect --format '{{.State.Pid}}' $id)
    echo $id $pid $(cut --delimiter=' ' --fields=22 /proc/$pid/stat)
done
"""


def main() -> int:
    """Run it; 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--image", default="trixie", choices=list(images.RECIPES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=[work.name for work in WORKLOADS])
    chosen = parser.parse_args()
    client = engine.ensure()
    images.ensure(client)
    campaigns = []
    for work in WORKLOADS:
        if chosen.only in (None, work.name):
            host = Host.create(client, chosen.image)
            try:
                campaign = Campaign(host, work, random.Random(f"{chosen.seed} {work.name}"))
                campaign.run(chosen.kills)
                campaigns.append(campaign)
            finally:
                host.destroy()
    print("| | " + " | ".join(campaign.work.name for campaign in campaigns) + " |")
    print("|---|" + "---|" * len(campaigns))
    for what in COUNTS:
        print(f"| {what} | " + " | ".join(str(campaign.counts[what]) for campaign in campaigns) + " |")
    stories = [story for campaign in campaigns for story in campaign.stories]
    print("\n".join(stories))
    return 1 if stories else 0


if __name__ == "__main__":
    sys.exit(main())
