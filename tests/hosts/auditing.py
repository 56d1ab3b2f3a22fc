# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit a test host with the real module, and find what a test asks about in the result."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import ansible.module_utils

from tests.hosts.engine import CLONE
from tests.hosts.host import Host

MODULES = "ansible_collections.bulwark.docker.plugins.modules"
# On the host; the name ends with what tells one state of the sources from another.
LIBRARY = "/opt/bulwark-test"
_COLLECTION = Path("ansible_collections/bulwark/docker/plugins")


def audit(host: Host, *, user: str | None = None, **options: Any) -> dict[str, Any]:
    """The result of an audit with all controls and the snapshot. It never changes anything, and never fails."""
    result = run_module(host, {"profile": "strict", "snapshot": True, **options}, user)
    assert not result.get("failed"), result.get("msg")
    assert result["changed"] is False
    return result


def run_module(
    host: Host,
    options: dict[str, Any],
    user: str | None = None,
    *,
    name: str = "compliance_info",
    check: bool = False,
    diff: bool = False,
) -> dict[str, Any]:
    """The result of the module called `name`, failed or not. It runs the way Ansible documents for single modules.

    That takes a fifth of the CPU time of `ansible`; how Ansible carries the module there is tested with the playbook.
    """
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    done = host.run(
        ["env", f"PYTHONPATH={library(host)}", "python3", "-m", f"{MODULES}.{name}"],
        stdin=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        user=user,
        check=False,
    )
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        raise AssertionError(f"The module gave no result:\n{done.stdout}{done.stderr}") from error


def library(host: Host) -> str:
    """What modules import, laid on the host: its path."""
    content, digest = _library()
    path = f"{LIBRARY}-{digest}"
    if host.run(["test", "-d", path], check=False).rc != 0:
        host.run(f"mkdir {path} && tar -xC {path}", stdin=content)
    return path


@functools.cache
def _library() -> tuple[bytes, str]:
    """A tar of what modules import, with its digest: the collection's own files and ansible-core's module_utils."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for kind in ("modules", "module_utils"):
            tar.add(CLONE / "plugins" / kind, _COLLECTION / kind, filter=_python)
        for path in ansible.module_utils.__path__:
            tar.add(path, "ansible/module_utils", filter=_python)
        # The package's own would want what stays on the controller.
        tar.addfile(tarfile.TarInfo("ansible/__init__.py"))
    content = archive.getvalue()
    return content, hashlib.sha256(content).hexdigest()[:12]


def _python(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.isdir() and not member.name.endswith("__pycache__"):
        return member
    return member if member.name.endswith(".py") else None


def finding(result: dict[str, Any], control: str, engine: str | None = "system") -> dict[str, Any]:
    """The finding of that control on that engine; engine None for controls of the host."""
    found = [f for f in result["findings"] if f["control"] == control and f["engine"] in (engine, None)]
    assert len(found) == 1, f"{control}: {len(found)} findings"
    return found[0]


def verdict(result: dict[str, Any], control: str, engine: str | None = "system") -> str:
    return str(finding(result, control, engine)["verdict"])


def subjects(result: dict[str, Any], control: str, engine: str | None = "system") -> dict[str, str]:
    """The verdicts of the subjects shown, by name. Passing ones are not shown."""
    return {s["name"]: s["verdict"] for s in finding(result, control, engine)["subjects"]}


def engine_of(result: dict[str, Any], name: str = "system") -> dict[str, Any]:
    """An engine of the snapshot."""
    return next(e for e in result["snapshot"]["engines"] if e["name"] == name)
