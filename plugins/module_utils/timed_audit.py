# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit that has a result in time, whatever of the host can be read by then."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.audit import audit
from ansible_collections.bulwark.docker.plugins.module_utils.snapshot import take, whole

# For the verdicts about what was read, when the deadline has passed.
SECONDS_TO_JUDGE = 4.0
# No alarm wakes a call into the kernel that waits for a program of an account, as a read through FUSE does.
_LAST_RESORT = deadline.GRACE + 2.0


def run(options: Mapping[str, Any], today: str, report: Callable[[dict[str, Any]], None]) -> None:
    """Take the snapshot, judge it and `report` the result, once; `options` are those of compliance_info.

    Where the deadline finds this thread in a call that does not end, another one reports in its place and ends the
    process.
    """
    snapshot: dict[str, Any] = {}
    turn = threading.Lock()

    def instead() -> None:
        if turn.acquire(blocking=False):
            _end_with(lambda: report(judged(whole(snapshot), options, today)))

    watch = threading.Timer(options["deadline"] + _LAST_RESORT, instead)
    watch.daemon = True
    with deadline.limited(options["deadline"]):
        watch.start()
        take(options["timeout"], options["updates"], options["image_content"], snapshot)
        if not turn.acquire(blocking=False):
            # The other thread is at it, and ends this one.
            threading.Event().wait()
        watch.cancel()
        result = judged(snapshot, options, today)
    report(result)


def judged(snapshot: dict[str, Any], options: Mapping[str, Any], today: str) -> dict[str, Any]:
    """The result of the module, without `changed`."""
    deadline.extend(SECONDS_TO_JUDGE)
    result = audit(snapshot, options, today)
    return {**result, "snapshot": snapshot} if options["snapshot"] else result


def _end_with(report: Callable[[], None]) -> None:
    """Whatever happens: the process does not stay."""
    status = 1
    try:
        report()
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(status)
