# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A saved snapshot may hold anything: it is judged, or refused in one sentence, and what is an error is no pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit import catalogue, judge
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import NotASnapshot, audit
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import VERDICTS
from ansible_collections.bulwark.docker.plugins.modules import compliance_info

from tests.fuzz import mutations

SNAPSHOTS = sorted((Path(__file__).parent.parent / "unit/snapshots").glob("*.json"))
OPTIONS: dict[str, Any] = {
    "profile": "strict",
    **{name: [] for name in ("controls", "waivers", "attestations")},
    **{name: {} for name in ("parameters", "severities")},
}


class Refused(Exception):
    """What the module says when it fails."""


class Module:
    """As much of AnsibleModule as load() needs."""

    def fail_json(self, msg: str) -> None:
        raise Refused(msg)


@cache
def recorded(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def judged(snapshot: Any) -> dict[str, Any]:
    return audit(snapshot, OPTIONS, "2026-11-22")


def is_sentence(text: str) -> bool:
    return "\n" not in text and "Traceback" not in text and len(text) < 1000


def test_a_mutated_snapshot_is_judged_or_refused(tmp_path: Path) -> None:
    """S19: no traceback for any shape, from the file to the summary."""
    outcomes = {"judged": 0, "refused": 0}
    path = tmp_path / "snapshot.json"
    for seed in mutations.seeds(150):
        data = mutations.data(json.loads(recorded(SNAPSHOTS[seed % len(SNAPSHOTS)])), seed)
        path.write_text(
            json.dumps(data, ensure_ascii=bool(seed % 2)), encoding="utf-8", errors="surrogatepass"
        )
        try:
            result = judged(compliance_info.load(Module(), str(path)))
        except (Refused, NotASnapshot) as problem:
            assert is_sentence(str(problem)), (seed, problem)
            outcomes["refused"] += 1
            continue
        except Exception as problem:
            raise AssertionError(f"FUZZ_SEED={seed}: {type(problem).__name__}: {problem}") from problem
        json.dumps(result)
        assert {each["verdict"] for each in result["findings"]} <= set(VERDICTS), seed
        outcomes["judged"] += 1
    assert outcomes["judged"]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"schema": ' * 100_000, "NaN", '{"schema": 1, "host": NaN, "engines": []}', "1" * 5000,
     '{"schema": 1, "host": {"time": 1e999}, "engines": []}', '{"schema": 1}', '{"schema": 1, "host": {}}',
     '{"schema": 1, "host": {}, "engines": "x"}', '{"schema": 1, "host": {}, "engines": ["x"]}', "", "\x00", "[]",
     '{"schema": 1, "host": {}, "engines": [{"name": "a", "user": {}}]}',
     '{"schema": 1, "x": ' + "[" * 300 + "]" * 300 + "}"],
)  # fmt: skip
def test_what_is_no_snapshot_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises((Refused, NotASnapshot)) as refused:
        judged(compliance_info.load(Module(), str(path)))
    assert is_sentence(str(refused.value))


class Mark(dict[str, str]):
    """An error mark that knows whether a control has looked at it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(error=sentence)
        self.seen = False

    def __len__(self) -> int:
        self.seen = True
        return super().__len__()

    def __contains__(self, key: object) -> bool:
        self.seen = True
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self.seen = True
        return super().__iter__()

    def __getitem__(self, key: str) -> str:
        self.seen = True
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen = True
        return super().get(key, default)


def places(snapshot: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(where, the mapping, its key) of all that a probe may have failed to read."""
    for key in snapshot:
        if key != "schema":
            yield key, snapshot, key
    for key in snapshot["host"]:
        if key not in ("name", "time", "privileged"):
            yield f"host.{key}", snapshot["host"], key
    for key in snapshot["accounts"]:
        yield f"accounts.{key}", snapshot["accounts"], key
    (engine,) = snapshot["engines"]
    for key in engine:
        if key not in ("name", "user", "state", "error", "unit", "socket"):
            yield f"engine.{key}", engine, key
    for container in engine["containers"]:
        for key in container:
            if key not in ("id", "name", "state"):
                yield f"container {container['name']}.{key}", container, key


# The running engine tells what is in force; flags and file would only say that a restart changes it.
_IN_FORCE = ("debug", "experimental", "insecure_registries", "logging", "seccomp_profile", "storage_driver")
KNOWN_OTHERWISE = {
    *((f"engine.{part}", f"daemon.{option}") for part in ("config", "flags") for option in _IN_FORCE),
    # Where the engine does not tell its data root, flags and file do.
    ("engine.info", "host.data_root_mount"),
}


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_what_could_not_be_read_is_no_pass(path: Path) -> None:
    """A control that looks at an error and passes has taken what is unknown for good."""
    passed = set()
    controls = catalogue.choose("strict", [])
    for number in range(sum(1 for _unused in places(json.loads(recorded(path))))):
        snapshot = json.loads(recorded(path))
        where, holder, key = list(places(snapshot))[number]
        holder[key] = mark = Mark(f"{where} was kept from the audit")
        for control in controls:
            mark.seen = False
            for finding in judge.findings_of(snapshot, [control], {}, {}):
                if mark.seen and finding["verdict"] == "pass":
                    passed.add((where, control.id))
    assert passed - KNOWN_OTHERWISE == set()
