# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection from a clean copy, and tells what a user or Galaxy would trip over.

Run by `make artifact`, in an environment with galaxy-importer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORK = ROOT / ".cache" / "artifact"
# Nearly all of it is code and its documentation, 603 kB at the end of November 2026; with the tests it had twice that.
SIZE_LIMIT = 650_000
# What belongs into the collection. A new name is added here, or in `build_ignore` of galaxy.yml.
TOP_LEVEL = {
    "CHANGELOG.md", "CHANGELOG.md.license", "COPYING", "FILES.json", "LICENSES", "MANIFEST.json", "README.md",
    "SECURITY.md", "changelogs", "docs", "meta", "playbooks", "plugins", "roles",
}  # fmt: skip
# Settings of whoever runs this must not decide what is found.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GALAXY_"))},
    "ANSIBLE_COLLECTIONS_PATH": str(WORK / "collections"),
    "ANSIBLE_NOCOLOR": "1",
    "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
    "HOME": str(WORK / "home"),
}


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    (WORK / "home").mkdir(parents=True)
    archive = build()
    problems = [problem for check in (size, names, importer, installed) for problem in check(archive)]
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size} bytes", *problems, sep="\n")
    sys.exit(1 if problems else 0)


def build() -> Path:
    """The archive, made of what git knows: what lies around in a clone must not decide what is in it."""
    run(str(ROOT / "tests" / "clean_copy.sh"), str(WORK / "tree"), check=True)
    run("ansible-galaxy", "collection", "build", "tree", check=True)
    (archive,) = WORK.glob("*.tar.gz")
    return archive


def size(archive: Path) -> Iterator[str]:
    if archive.stat().st_size >= SIZE_LIMIT:
        yield f"It has {archive.stat().st_size} bytes; {SIZE_LIMIT} are the limit."


def names(archive: Path) -> Iterator[str]:
    with tarfile.open(archive) as content:
        found = {name.partition("/")[0] for name in content.getnames()}
    for name in sorted(found - TOP_LEVEL):
        yield f"{name} is in it; add it to build_ignore of galaxy.yml, or to TOP_LEVEL of tests/artifact.py."
    for name in sorted(TOP_LEVEL - found):
        yield f"{name} is missing in it."


def importer(archive: Path) -> Iterator[str]:
    """What Galaxy would say. Its flake8 stays off: ruff's formatter breaks lines in another way."""
    done = run(sys.executable, "-m", "galaxy_importer.main", archive.name)
    lines = (done.stdout + done.stderr).splitlines()
    yield from (f"galaxy-importer: {line}" for line in lines if line.startswith(("WARNING:", "ERROR:")))
    if done.returncode:
        yield f"galaxy-importer ended with {done.returncode}: {lines[-1]}"


def installed(archive: Path) -> Iterator[str]:
    """Whether it works where nothing else is: the roles are documented, and this machine is audited."""
    run("ansible-galaxy", "collection", "install", "--no-deps", "-p", "collections", archive.name, check=True)
    listing = run("ansible-doc", "--json", "-t", "role", "-l", "bulwark.docker", check=True)
    documented = {name.rpartition(".")[2] for name in json.loads(listing.stdout)}
    for name in sorted({role.name for role in (ROOT / "roles").iterdir()} - documented):
        yield f"ansible-doc does not list the role {name}."
    audit = run("ansible-playbook", "bulwark.docker.audit", "-e", "compliance_audit_hosts=localhost")
    report = WORK / "reports" / "report.json"
    hosts = json.loads(report.read_text(encoding="utf-8"))["hosts"] if report.exists() else []
    if audit.returncode or [host["status"] for host in hosts] != ["audited"]:
        yield f"The audit of this machine ended with {audit.returncode}:\n{audit.stdout}{audit.stderr}"


def run(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command, cwd=WORK, env=ENVIRONMENT, check=False, capture_output=True, text=True, timeout=600
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


if __name__ == "__main__":
    main()
