# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""User namespaces: what is in force, the subordinate ids, running containers and left-over data."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import userns

from tests.unit.builders.containers import container
from tests.unit.builders.daemon import (
    edited,
    engine,
    file,
    rootless_engine,
    rootless_snapshot,
    said,
    snapshot,
    stopped_engine,
    with_settings,
)
from tests.unit.builders.judging import finding

OFF = {"SecurityOptions": ["name=seccomp,profile=builtin"]}
PLAIN = with_settings(engine(info=OFF), "userns-remap")


def judged(control, host, verdict, text=""):
    found = finding(control, host)
    assert found["verdict"] == verdict
    assert text in said(found)


def ids(*entries, kinds=("uid", "gid")):
    ranges = [{"owner": owner, "start": start, "count": count} for owner, start, count in entries]
    return {"accounts": {"subids": dict.fromkeys(kinds, ranges)}}


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        # R42.
        (rootless_engine(), "pass", ""),
        (PLAIN, "fail", "off"),
        # R7: `--userns-remap=`.
        (
            engine(info=OFF, flags={"userns-remap": [""]}, config={"settings": {"userns-remap": ""}}),
            "fail",
            "off",
        ),
        # R9.
        (edited(engine(info=OFF)), "fail", "daemon.json says default: restart pending"),
        # Edge case 51: the value root, or a range from 0.
        (with_settings(engine(info=OFF), userns_remap="root"), "fail", "says root: configured but off"),
        (engine(info=OFF, config={"settings": {"error": "no permission"}}), "fail", "off"),
        (stopped_engine(), "unknown", "docker.service is inactive"),
    ],
)
def test_remapping_is_judged_by_what_is_in_force(running, verdict, text):
    judged(userns.userns_remap, snapshot(running), verdict, text)


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "pass", ""),
        (ids(("105", 100000, 65536)), "pass", ""),
        (ids(("dockremap", 100000, 30000), ("dockremap", 200000, 35536)), "pass", ""),
        (ids(("dockremap", 100000, 1000)), "fail", "1000 ids for dockremap"),
        (ids(("alice", 165536, 65536)), "fail", "0 ids for dockremap"),
        (ids(("alice", 165536, 65536), kinds=("gid",)), "fail", "/etc/subgid"),
        (ids(("dockremap", 0, 65536)), "fail", "dockremap:0:65536"),
        ({"accounts": {"subids": {"gid": None}}}, "fail", "/etc/subgid with an entry for dockremap"),
        ({"accounts": {"users": [{"name": "root", "uid": 0}]}}, "fail", "no such account"),
        ({"files": {"/etc/subuid": file(mode="0666")}}, "fail", "mode 0666"),
        ({"files": {"/etc/subgid": file(uid=1000, owner="alice")}}, "fail", "alice, mode 0644"),
        (
            {"files": {"/etc/subuid": file(mode="0666")}, "accounts": {"subids": {"source": "sss"}}},
            "pass",
            "",
        ),
        (
            {"accounts": {"subids": {"uid": {"error": "/etc/subuid line 3 is not owner:start:count"}}}},
            "unknown",
            "line 3",
        ),
    ],
)
def test_the_remapped_account_has_its_ids(changes, verdict, text):
    judged(userns.subordinate_ids, snapshot(**changes), verdict, text)


@pytest.mark.parametrize(
    ("value", "verdict", "text"),
    [
        ("alice", "pass", ""),
        ("alice:docker", "pass", ""),
        ("1000", "pass", ""),
        ("bob", "fail", "0 ids for bob"),
    ],
)
def test_the_account_is_the_one_that_the_option_names(value, verdict, text):
    judged(userns.subordinate_ids, snapshot(with_settings(engine(), userns_remap=value)), verdict, text)


def test_ids_of_a_rootless_engine_are_its_users():
    judged(userns.subordinate_ids, rootless_snapshot(), "pass")
    judged(
        userns.subordinate_ids,
        rootless_snapshot(**ids(("alice", 165536, 1000))),
        "fail",
        "1000 ids for alice",
    )


def test_without_remapping_no_ids_are_needed():
    judged(userns.subordinate_ids, snapshot(PLAIN), "not_applicable", "not set to map users")
    for value in ("root", "0"):
        running = with_settings(engine(info=OFF), userns_remap=value)
        judged(userns.subordinate_ids, snapshot(running), "not_applicable", "not set to map users")


DOCKREMAP = ("dockremap", 100000, 65536)


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "pass", ""),
        (ids(DOCKREMAP, ("alice", 165535, 65536)), "fail", "overlaps alice:165535:65536"),
        (ids(DOCKREMAP, ("alice", 165536, 65536)), "pass", ""),
        (ids(DOCKREMAP, DOCKREMAP), "pass", ""),
        # The same account by name and by id.
        (ids(DOCKREMAP, ("105", 120000, 1000)), "pass", ""),
        (ids(("dockremap", 1000, 65536)), "fail", "covers the ids of alice"),
        (ids(("dockremap", 2000, 65536)), "fail", "within 1000 to 60000"),
        (
            {"accounts": {"login_defs": None, **ids(("dockremap", 2000, 65536))["accounts"]}},
            "fail",
            "within 1000",
        ),
        ({"accounts": {"subids": {"uid": None, "gid": None}}}, "pass", ""),
        ({"accounts": {"subids": {"uid": {"error": "line 3"}}}}, "unknown", "line 3"),
    ],
)
def test_ranges_are_apart(changes, verdict, text):
    judged(userns.ranges_apart, snapshot(**changes), verdict, text)


def test_a_primary_group_need_not_be_listed():
    """The change counts it, and so does the audit."""
    changes = ids(("dockremap", 990, 5), kinds=("gid",))
    changes["accounts"]["groups"] = []
    changes["accounts"]["users"] = [{"name": "eve", "uid": 5000, "gid": 991}]
    judged(userns.ranges_apart, snapshot(**changes), "fail", "covers the ids of eve")


def test_ranges_are_apart_from_groups_too():
    changes = ids(("dockremap", 990, 5), kinds=("gid",))
    changes["accounts"]["groups"] = [{"name": "docker", "gid": 992, "members": []}]
    judged(
        userns.ranges_apart,
        snapshot(**changes),
        "fail",
        "/etc/subgid: dockremap:990:5 covers the ids of docker",
    )


def mapped(*uid_map, **changes):
    return container(**{"process": {"uid_map": list(uid_map)}, **changes})


@pytest.mark.parametrize(
    ("held", "verdict", "text"),
    [
        ([], "pass", ""),
        ([mapped([0, 100000, 65536])], "pass", ""),
        # Started before the remapping, and kept alive by live restore.
        ([mapped([0, 0, 4294967295])], "fail", "0, expected 100000"),
        ([mapped([0, 165536, 65536])], "fail", "165536, expected 100000"),
        ([mapped([0, 0, 4294967295], host_config={"UsernsMode": "host"})], "pass", ""),
        ([container(process=None)], "pass", ""),
        ([container(process={"error": "not root"})], "unknown", "not root"),
    ],
)
def test_running_containers_have_the_engines_mapping(held, verdict, text):
    judged(userns.container_mapping, snapshot(engine(containers=held)), verdict, text)


def test_root_of_a_rootless_container_is_the_user():
    running = rootless_engine(containers=[mapped([0, 1000, 1], [1, 165536, 65536])])
    judged(userns.container_mapping, rootless_snapshot(running), "pass")
    running = rootless_engine(containers=[mapped([0, 0, 4294967295])])
    judged(userns.container_mapping, rootless_snapshot(running), "fail", "0, expected 1000")


def test_mappings_need_remapping_and_a_known_range():
    held = [mapped([0, 100000, 65536])]
    judged(
        userns.container_mapping,
        snapshot({**PLAIN, "containers": held}),
        "not_applicable",
        "does not map users",
    )
    judged(
        userns.container_mapping,
        snapshot(engine(containers=held), **ids()),
        "unknown",
        "no range of dockremap",
    )


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        (
            engine(data_roots=[{"name": "165536.165536", "uid": 165536, "gid": 165536}]),
            "fail",
            "165536.165536",
        ),
        ({**PLAIN, "info": {**PLAIN["info"], "DockerRootDir": "/var/lib/docker"}}, "pass", ""),
        (engine(info={"DockerRootDir": "/var/lib/docker/200000.200000"}), "fail", "begins with 100000"),
        (engine(data_roots={"error": "no permission"}), "unknown", "no permission"),
    ],
)
def test_data_of_other_mappings_is_found(running, verdict, text):
    judged(userns.data_of_other_mappings, snapshot(running), verdict, text)
