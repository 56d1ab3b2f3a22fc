# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps to a rootless engine and back, for accounts that are to come: nothing of the machine is theirs.

Numbers in names are those of the edge cases.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import account as accounts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import plan as module
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.facts import Facts
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless.host_facts import Cgroup
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps.host_state import (
    CLIENT_FILE,
    NET_BIND_SERVICE,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.journal import Transaction
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import Entry, Step
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.store import Store

from tests.unit.plugins.module_utils.changes.rootless import test_preflight as preflight

USER = "bulwark-to-come"
KIT = "/opt/kit/bin/rootlesskit"
PROFILE = "/etc/apparmor.d/opt.kit.bin.rootlesskit"
UNIT = "docker.service"
ACCOUNT = accounts.to_come(USER)


def to_come(**changes: Any) -> Facts:
    given = {"user": USER, "rootlesskit": KIT, "cgroup": Cgroup(1, (), ()), **preflight.ABSENT, **changes}
    return preflight.host(**given)


def options(**changes: Any) -> dict[str, Any]:
    return {**preflight.options(), "system_engine": "keep", "client": ["context"], **changes}


def keys(planned: list[Step]) -> list[tuple[str, str]]:
    return [(step.kind, step.key) for step in planned]


def test_account_that_is_to_come() -> None:
    found = module.present(to_come(), options(), None)
    assert keys(found.steps) == [
        ("login", USER),
        ("linger", USER),
        ("reread", UNIT),
        ("file", f"~/{files.UNIT_FILE}"),
        ("reread", UNIT),
        ("enabled", UNIT),
        ("running", UNIT),
        ("file", f"~/{files.CONTEXT_FILE}"),
        ("context", CLIENT_FILE),
    ]
    # Proved before clients are led to it.
    assert keys(found.handover)[0] == ("file", f"~/{files.CONTEXT_FILE}")
    assert not found.restarts


def test_e95_profile_for_the_actual_rootlesskit() -> None:
    found = module.present(to_come(apparmor_restricts=True), options(), None)
    assert keys(found.setup)[1:3] == [("file", PROFILE), ("apparmor", PROFILE)]
    assert found.setup[1].value["content"] == files.profile(KIT)
    assert f" {KIT} flags=(unconfined)" in found.setup[1].value["content"]


@pytest.mark.parametrize(
    "facts",
    [
        to_come(apparmor_restricts=True, apparmor_profile="/etc/apparmor.d/rootlesskit"),
        to_come(apparmor_restricts=False),
        # Its package follows.
        to_come(apparmor_restricts=True, rootlesskit=None),
    ],
    ids=["one exists", "nothing is restricted", "no rootlesskit"],
)
def test_e95_no_profile(facts: Facts) -> None:
    found = module.present(facts, options(), None)
    assert not any(step.kind == "apparmor" or step.key.startswith("/etc") for step in found.setup)


def test_e93_ports_below_1024() -> None:
    found = module.present(to_come(), options(privileged_ports="capability"), None)
    assert steps.setting("capability", ROOT, KIT, NET_BIND_SERVICE) in found.setup
    found = module.present(to_come(), options(privileged_ports="sysctl"), None)
    assert steps.file(ROOT, files.SYSCTL_FILE, files.sysctl()) in found.setup
    assert not any(step.kind == "capability" for step in found.steps)


def test_delegation_is_read_by_systemd() -> None:
    controllers = ("cpu", "memory")
    found = module.present(to_come(cgroup=Cgroup(2, controllers, controllers)), options(), None)
    around = [("reread", "user@.service"), ("file", files.DELEGATE_FILE), ("reread", "user@.service")]
    place = keys(found.setup).index(around[0])
    assert keys(found.setup)[place : place + 3] == around
    # Before the account's systemd starts.
    assert place < keys(found.setup).index(("linger", USER))
    for facts, wanted in ((to_come(), True), (to_come(cgroup=Cgroup(2, controllers, controllers)), False)):
        planned = module.present(facts, options(delegate=wanted), None)
        assert ("file", files.DELEGATE_FILE) not in keys(planned.setup)


@pytest.mark.parametrize("client", [[], ["environment"], ["context", "environment"]])
def test_how_clients_find_it(client: list[str]) -> None:
    found = keys(module.present(to_come(), options(client=client), None).handover)
    assert (("context", CLIENT_FILE) in found) == ("context" in client)
    assert (("file", files.environment_file(USER)) in found) == ("environment" in client)


def test_back_is_the_other_way_round(tmp_path: Path) -> None:
    known = [steps.file(ROOT, str(tmp_path / name), "before") for name in ("first", "second")]
    (tmp_path / "same").write_text("as it is")
    known.append(steps.file(ROOT, str(tmp_path / "same"), "as it is"))
    found = module.absent(ACCOUNT, known)
    assert found.steps == [known[1], known[0]]
    assert not found.restarts


def test_containers_of_the_system_are_asked_for_later() -> None:
    """Their engine is yet to be started."""
    known = [steps.setting("containers", ROOT, "/run/nothing-listens.sock", ["1"])]
    assert module.absent(ACCOUNT, known).steps == known


@pytest.mark.parametrize(
    ("step", "is_of_account"),
    [
        (steps.setting("enabled", ACCOUNT, UNIT, True), True),
        (steps.setting("enabled", ROOT, "docker.service", True), False),
        (steps.setting("running", ROOT, "docker.socket", True), False),
        (steps.reread(ACCOUNT, UNIT), True),
        (steps.reread(ROOT, "user@.service"), False),
        (steps.setting("linger", ROOT, USER, False), True),
        (steps.setting("context", ACCOUNT, CLIENT_FILE, None), True),
        (steps.file(ACCOUNT, f"~/{files.UNIT_FILE}", None), True),
        (steps.file(ROOT, files.SYSCTL_FILE, None), False),
        (steps.setting("sysctl", ROOT, files.PORT_START, "1024"), False),
    ],
    ids=lambda value: value.key if isinstance(value, Step) else "",
)
def test_what_goes_with_the_account(step: Step, is_of_account: bool) -> None:
    assert module.is_of_account(step) is is_of_account


@pytest.fixture
def transaction(tmp_path: Path) -> Transaction:
    store = Store(str(tmp_path / "state"))
    store.prepare()
    return Transaction.begin(store, {})


def test_record_leads_back(transaction: Transaction) -> None:
    own = pwd.getpwnam("nobody")
    account = Account("nobody", own.pw_uid, own.pw_gid)
    gone = {"image": "", "facts": None}
    transaction.journal(Entry("linger", "nobody", ROOT, {"before": False, "after": True}))
    transaction.journal(Entry("directory", f"{own.pw_dir}/.config/systemd", account))
    transaction.journal(Entry("directory", "/etc/systemd/system/user@.service.d", ROOT))
    transaction.journal(Entry("file", f"{own.pw_dir}/{files.UNIT_FILE}", account, gone))
    # S2: a link of the account has led out of its home. Root has no part in what lies there.
    transaction.journal(Entry("file", "/var/tmp/elsewhere/meta.json", account, gone))
    transaction.journal(Entry("file", files.SYSCTL_FILE, ROOT, gone))
    transaction.journal(Entry("file", "/etc/subuid", ROOT, gone))
    # For a restart: they run again.
    stopped = {"before": ["1"], "after": []}
    transaction.journal(Entry("containers", files.socket(own.pw_uid), account, stopped))
    transaction.journal(Entry("containers", "/run/docker.sock", ROOT, {"before": ["2"], "after": []}))
    transaction.note("restart")
    assert module.recorded([], transaction, account) == [
        steps.setting("linger", ROOT, "nobody", False),
        steps.no_directory(account, "~/.config/systemd"),
        steps.no_directory(ROOT, "/etc/systemd/system/user@.service.d"),
        steps.file(account, f"~/{files.UNIT_FILE}", None),
        steps.file(account, "/var/tmp/elsewhere/meta.json", None),
        steps.file(ROOT, files.SYSCTL_FILE, None),
        steps.setting("containers", ROOT, "/run/docker.sock", ["2"]),
    ]


def test_first_state_of_a_thing_counts(transaction: Transaction) -> None:
    known = [steps.setting("sysctl", ROOT, files.PORT_START, "1024")]
    for what, key, before in (
        ("sysctl", files.PORT_START, "512"),
        ("enabled", "docker.socket", True),
        ("enabled", "docker.socket", False),
    ):
        transaction.journal(Entry(what, key, ROOT, {"before": before, "after": False}))
    own = pwd.getpwuid(os.getuid())
    found = module.recorded(known, transaction, Account(own.pw_name, own.pw_uid, own.pw_gid))
    assert found == [*known, steps.setting("enabled", ROOT, "docker.socket", True)]
