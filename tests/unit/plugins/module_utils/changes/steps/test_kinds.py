# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of kinds, walked: what has a step can be told, done and asked; what is journalled can be undone."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.account import ROOT, Account
from ansible_collections.bulwark.docker.plugins.module_utils.changes.rootless import files as rootless_files
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import (
    accounts,
    host_state,
    kinds,
    permissions,
    steps,
    units,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.steps import files as file_changes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.transaction.records import (
    Entry,
    Malformed,
    Step,
)

WORKER = Account("worker", 1000, 1000)
# Read by rollback.py as a whole, not one by one.
NOTES = {"containers_stopped", "engine", "let_go", "reload", "restart", "sockets", "started"}
# What is done again does no harm, and what it did is journalled as what it consists of, or comes back by itself.
WITHOUT_UNDO = {
    "dead_socket": "a dead socket served nobody",
    "install": "its file and its permissions are journalled",
    "restart": "the reread that stands before it restarts it",
    "subids": "its file and its lock are journalled",
}
STEPS = [
    steps.account("dockremap"),
    steps.login("worker"),
    steps.subid_range("dockremap", 100000, 65536, ["uid", "gid"]),
    steps.file(ROOT, "/etc/x", "text"),
    steps.file(WORKER, "~/x", None),
    steps.no_directory(WORKER, "~/x"),
    steps.install("/etc/docker/tls/key.pem", "/srv/key.pem", b"PRIVATE KEY", 0o400),
    steps.permissions("/etc/docker/tls", 0o755),
    steps.reread(WORKER, rootless_files.UNIT),
    steps.restart(WORKER, rootless_files.UNIT),
    steps.dead_socket("/run/docker.sock"),
    *(steps.setting(what, ROOT, "KEY", False) for what in host_state.SETTINGS),
]


def test_each_kind_of_step_has_a_constructor() -> None:
    assert {step.kind for step in STEPS} == {name for name, kind in kinds.KINDS.items() if kind.perform}


@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_row_is_whole(name: str) -> None:
    kind = kinds.KINDS[name]
    of_step = (kind.holds, kind.perform, kind.describe)
    assert all(of_step) or not any(of_step)
    assert bool(kind.undo) == bool(kind.reverse)
    assert any(of_step) or kind.undo or name in NOTES
    assert bool(kind.undo) != (name in WITHOUT_UNDO or name in NOTES)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.kind)
def test_a_step_survives_the_state_directory_and_is_told(step: Step) -> None:
    assert Step.from_json(json.loads(json.dumps(step.as_json()))) == step
    said = kinds.describe(step)
    assert said is None or (
        step.key.lstrip("~/") in said
        or step.kind in ("containers", "last_containers")
        or step.kind == "context"
    )
    assert (said is None) == (step.kind in ("directory", "reread"))
    assert "PRIVATE KEY" not in json.dumps(step.as_json())


def test_what_is_journalled_is_of_a_kind_that_can_be_undone() -> None:
    """Every Entry that the code makes names a kind with a row that undoes it."""
    made = set()
    for module in (accounts, file_changes, host_state, permissions, units):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Entry":
                kind = node.args[0]
                if isinstance(kind, ast.Name) and kind.id.isupper():
                    made.add(getattr(module, kind.id))
    made |= {accounts.ACCOUNT, accounts.LOGIN, *host_state.SETTINGS}
    assert made == {name for name, kind in kinds.KINDS.items() if kind.undo}


def test_what_is_noted_is_known() -> None:
    noted = set()
    for path in Path(inspect.getfile(kinds)).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "note"
            ):
                name = node.args[0]
                assert isinstance(name, ast.Constant)
                noted.add(name.value)
    assert noted == NOTES


def test_no_function_has_root_as_its_default() -> None:
    """S1 to S3: whoever touches something says whose it is."""
    for path in Path(inspect.getfile(kinds)).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for default in (*node.args.defaults, *node.args.kw_defaults):
                text = ast.unparse(default) if default else ""
                assert text not in ("(0, 0)", "ROOT", "ROOT.owner", "accounts.ROOT"), (
                    f"{path.name}: {node.name}"
                )


SOUND = steps.account("x").as_json()


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {}, {"kind": "file"}),
        {**SOUND, "more": 1},
        {**SOUND, "key": 1},
        {**SOUND, "account": ["x", True, 0]},
        {**SOUND, "account": ["x", None, 0]},
    ],
)
def test_records_that_are_none(data: object) -> None:
    with pytest.raises(Malformed):
        Step.from_json(data)
    with pytest.raises(Malformed):
        Entry.from_json(data)
