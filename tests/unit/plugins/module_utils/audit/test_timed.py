# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An audit has a result in time, or one sentence that says where it failed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils import snapshot
from ansible_collections.bulwark.docker.plugins.module_utils.audit import timed
from ansible_collections.bulwark.docker.plugins.module_utils.base import deadline
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import auditd as audit_probe
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import processes

OPTIONS: dict[str, Any] = {
    "profile": "strict",
    "timeout": 1.0,
    "deadline": 20.0,
    **dict.fromkeys(("updates", "image_content"), False),
    "snapshot": True,
    **{name: [] for name in ("controls", "waivers", "attestations")},
    **{name: {} for name in ("parameters", "severities")},
}
TODAY = "2026-11-22"


def blocked() -> None:
    """No alarm wakes this thread."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(600)


def stopped() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


@pytest.fixture
def last(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has a probe in the middle of the snapshot do something else."""
    for name in ("_INSTEAD", "_NOBODY"):
        monkeypatch.setattr(timed, name, {"_INSTEAD": 0.5, "_NOBODY": 2.0}[name])

    def replaced(read: Callable[[], None]) -> None:
        others = tuple(each for each in snapshot._ALONE if each[0] != "audit")
        monkeypatch.setattr(snapshot, "_ALONE", (("audit", read), *others))

    return replaced


def test_the_whole_of_this_machine() -> None:
    result = timed.run(OPTIONS, TODAY)
    assert result["findings"] and result["snapshot"]["host"]["name"] == os.uname().nodename
    assert result["snapshot"]["audit"] == audit_probe.audit()
    assert "snapshot" not in timed.run({**OPTIONS, "snapshot": False}, TODAY)
    assert processes.read(os.getpid()) is not None


@pytest.mark.parametrize("read", [blocked, lambda: time.sleep(600)], ids=["no alarm", "an alarm"])
def test_what_was_read_counts_whatever_hangs(last: Any, read: Callable[[], None]) -> None:
    last(read)
    begun = time.monotonic()
    result = timed.run({**OPTIONS, "deadline": 3.0}, TODAY)
    assert time.monotonic() - begun < 9
    taken = result["snapshot"]
    why = {"error": "not read: the audit's deadline of 3 s had passed"}
    assert taken["audit"] == why
    assert taken["accounts"]["users"] and taken["host"]["kernel"]["release"]
    assert taken["clients"] == why


def test_a_process_that_says_nothing_any_more_is_not_waited_for(last: Any) -> None:
    last(stopped)
    begun = time.monotonic()
    result = timed.run({**OPTIONS, "deadline": 1.0}, TODAY)
    assert time.monotonic() - begun < 9
    assert result["snapshot"]["engines"]["error"] == "not read: the audit's deadline of 1 s had passed"
    assert {each["verdict"] for each in result["findings"] if each["scope"] == "containers"} == {"unknown"}


def test_a_process_that_is_killed_is_told(last: Any) -> None:
    last(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(timed.Failed, match=r"^the process that read the host was killed$"):
        timed.run(OPTIONS, TODAY)


def test_where_the_audit_itself_fails_is_told_without_what_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: Any) -> Any:
        raise ValueError("the secret is hunter2")

    monkeypatch.setattr(timed, "whole", fails)
    monkeypatch.setattr(timed, "take", fails)
    with pytest.raises(timed.Failed) as failed:
        timed.run(OPTIONS, TODAY)
    sentence = str(failed.value)
    assert sentence.startswith("the audit itself failed with ValueError in fails (test_timed.py, line ")
    assert "hunter2" not in sentence
    assert not deadline.passed()
