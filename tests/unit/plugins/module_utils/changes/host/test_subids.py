# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subordinate ids: whom a value names, what is unsafe about the ranges, a free block, the file's new text.

Numbers in names are those of the edge cases.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base.text import few
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.subids import (
    Allocation,
    Refused,
    added,
    allocate,
    container_root,
    judge,
    missing,
    remap_user,
)

IDS = {"root": 0, "dockremap": 105, "alice": 1000, "bob": 1001}
LIMITS = {"UID_MIN": 1000, "UID_MAX": 60000, "GID_MIN": 1000, "GID_MAX": 60000}
BLOCK = ("dockremap", 100000, 65536)


def ranges(*entries: tuple[str, int, int]) -> list[dict[str, Any]]:
    return [{"owner": owner, "start": start, "count": count} for owner, start, count in entries]


def host(*both: tuple[str, int, int], without=(), extra=(), **changes: Any) -> dict[str, Any]:
    """Accounts with the entries `both` in both files; `uid` and `gid` replace them in one."""
    users = [{"name": name, "uid": uid, "gid": uid} for name, uid in {**IDS, **dict(extra)}.items()]
    users = [user for user in users if user["name"] not in without]
    groups = [{"name": user["name"], "gid": user["gid"]} for user in users]
    subids = {
        "source": changes.pop("source", "files"),
        "uid": changes.pop("uid", ranges(*both)),
        "gid": changes.pop("gid", ranges(*both)),
    }
    return {"users": users, "groups": groups, "login_defs": LIMITS, "subids": subids, **changes}


@pytest.mark.parametrize(
    ("value", "user", "group"),
    [
        ("default", "dockremap", "dockremap"),
        ("dockremap", "dockremap", "dockremap"),
        ("alice", "alice", "alice"),
        ("1000", "alice", "alice"),
        ("+1000", "alice", "alice"),
        ("alice:alice", "alice", "alice"),
        ("1000:1000", "alice", "alice"),
        ("alice:1000", "alice", "alice"),
    ],
)
def test_a_value_names_a_user(value: str, user: str, group: str) -> None:
    assert remap_user(value, host()) == (user, group, [], [])


@pytest.mark.parametrize("value", ["default", "dockremap", "default:dockremap", "dockremap:dockremap"])
def test_dockremap_is_made_where_it_is_not(value: str) -> None:
    assert remap_user(value, host(without=("dockremap",))) == ("dockremap", "dockremap", [], [])


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("a:b:c", "'a:b:c' is not one of default, name"),
        ("", "is not one of"),
        (":alice", "is not one of"),
        ("alice:", "is not one of"),
        ("host", "takes no host"),
        ("nosuch", "no user nosuch"),
        ("54321", "no user 54321"),
        ("alice:nosuch", "no group nosuch"),
        ("alice:777", "no group 777"),
        ("99999999999", "no user 99999999999"),
    ],
)
def test_a_value_that_dockerd_would_not_start_with(value: str, problem: str) -> None:
    wanted = remap_user(value, host())
    assert len(wanted.problems) == 1
    assert problem in wanted.problems[0]


@pytest.mark.parametrize("value", ["root", "0", "00", "root:root", "0:0", "toor"])
def test_051_root_is_configured_but_off(value: str) -> None:
    (problem,) = remap_user(value, host(extra={"toor": 0})).problems
    assert "configured but off" in problem


def test_054_the_user_is_looked_up_in_subgid_whatever_the_group() -> None:
    wanted = remap_user("alice:bob", host())
    assert wanted[:3] == ("alice", "bob", [])
    assert "looks up the user alice in /etc/subgid too" in wanted.notices[0]
    # So an entry of the group does not help.
    accounts = host(uid=ranges(("alice", 100000, 65536)), gid=ranges(("bob", 100000, 65536)))
    assert judge("alice", accounts) == ["/etc/subgid has no entry of alice."]


@pytest.mark.parametrize(
    ("value", "extra"),
    [
        ("10426", {"10426": 10426}),
        ("5000", {"5000": 1500}),
        ("1500", {"5000": 1500}),
        # carol's number is the name of another, whose entries would be taken for hers.
        ("carol", {"carol": 5000, "5000": 1500}),
    ],
)
def test_055_a_name_that_is_a_number_is_refused(value: str, extra: dict[str, int]) -> None:
    (problem,) = remap_user(value, host(extra=extra)).problems
    assert "moby#42003" in problem


def test_a_user_without_the_group_that_dockerd_asks_for() -> None:
    accounts = host()
    accounts["groups"] = [group for group in accounts["groups"] if group["name"] != "alice"]
    for value, group in (("alice", "alice"), ("1000", "1000")):
        (problem,) = remap_user(value, accounts).problems
        assert f"There is no group {group}" in problem
        assert "alice:GROUP" in problem


def test_accounts_that_cannot_be_read_name_nobody() -> None:
    unread = {"error": "NSS did not end within 20 s"}
    (problem,) = remap_user("default", host(users=unread)).problems
    assert "did not end" in problem
    assert judge("dockremap", host(BLOCK, groups=unread)) == [
        "Subordinate ids cannot be judged: NSS did not end within 20 s; put that right first."
    ]


@pytest.mark.parametrize(
    ("number", "entries", "problem"),
    [
        (0, [BLOCK], None),
        (0, [("105", 100000, 65536)], None),
        (0, [BLOCK, ("alice", 165536, 65536)], None),
        (0, [("dockremap", 100000, 30000), ("dockremap", 200000, 35536)], None),
        (49, [("dockremap", 1000, 65536)], "dockremap:1000:65536 covers the ids of alice, bob"),
        (49, [("dockremap", 2000, 65536)], "lies within 1000 to 60000"),
        (49, [BLOCK, ("alice", 165535, 65536)], "overlaps alice:165535:65536;"),
        (50, [("dockremap", 100000, 1000)], "has 1000 ids for dockremap, and images use 65536"),
        (51, [("dockremap", 0, 65536)], "configured but off"),
        # The kernel takes no map in which an id comes twice.
        (55, [BLOCK, BLOCK], "overlaps dockremap:100000:65536 of the same user"),
        (55, [BLOCK, ("105", 100000, 65536)], "of the same user"),
        # Up to 28 the entry of the number is the only one that counts.
        (50, [("105", 300000, 1000), BLOCK], "has 1000 ids"),
    ],
)
def test_existing_ranges_are_judged(number: int, entries: list[Any], problem: str | None) -> None:
    """Edge cases 49, 50, 51 and 55: what is unsafe is named for both files, and never altered."""
    accounts = host(*entries)
    found = judge("dockremap", accounts)
    if problem is None:
        assert found == []
        return
    assert any(said.startswith("/etc/subuid") and problem in said for said in found)
    assert any(said.startswith("/etc/subgid") and problem in said for said in found)
    with pytest.raises(Refused) as refused:
        allocate(accounts, "dockremap")
    assert refused.value.problems == found


def test_049_a_range_may_hit_a_group_or_a_primary_group_alone() -> None:
    accounts = host(BLOCK, extra={"far": 100500})
    accounts["users"][-1]["uid"] = 70000
    (problem,) = judge("dockremap", accounts)
    assert problem.startswith("/etc/subgid: dockremap:100000:65536 covers the ids of far;")
    accounts["groups"].pop()
    assert judge("dockremap", accounts) == [problem]


@pytest.mark.parametrize("limits", [None, {}, {"error": "no permission"}])
def test_without_login_defs_its_defaults_count(limits: Any) -> None:
    (first, _second) = judge("dockremap", host(("dockremap", 2000, 65536), login_defs=limits))
    assert "within 1000 to 60000" in first
    assert allocate(host(login_defs=limits), "dockremap").start == 100000


def test_a_malformed_foreign_line_is_refused_and_quoted() -> None:
    said = "/etc/subuid line 3 is not owner:start:count: 'bob 1 2'"
    accounts = host(BLOCK, uid={"error": said})
    (problem,) = judge("dockremap", accounts)
    assert said in problem
    with pytest.raises(Refused, match="bob 1 2"):
        allocate(accounts, "dockremap")


BOTH = {"for_uid": True, "for_gid": True}


@pytest.mark.parametrize(
    ("accounts", "start"),
    [
        (host(), 100000),
        (host(("alice", 100000, 65536)), 165536),
        (host(uid=ranges(("alice", 100000, 65536)), gid=ranges(("bob", 300000, 65536))), 365536),
        (host(extra={"far": 200000}), 200001),
        (host(login_defs={**LIMITS, "SUB_UID_MIN": 500000}), 500000),
        (host(login_defs={**LIMITS, "UID_MAX": 200000}), 200001),
        (host(without=("dockremap",)), 100000),
        # Huge ids, as directory services give them: the first gap below the limit.
        (host(("alice", 100000, 65536), extra={"ad": 1_200_000_000}), 165536),
        (host(("alice", 100000, 65536), ("bob", 231071, 65536), extra={"ad": 1_200_000_000}), 296607),
        (host(("alice", 165536, 65536), login_defs={**LIMITS, "SUB_UID_MAX": 231071}), 100000),
    ],
)
def test_046_a_block_for_who_has_none_hits_nothing(accounts: dict[str, Any], start: int) -> None:
    assert missing("dockremap", accounts) == ["uid", "gid"]
    assert allocate(accounts, "dockremap") == Allocation(start, 65536, **BOTH)
    entered = ranges(("dockremap", start, 65536))
    for kind in ("uid", "gid"):
        accounts["subids"][kind] = [*accounts["subids"][kind], *entered]
    assert judge("dockremap", accounts) == []


def test_046_sound_ranges_are_left_alone() -> None:
    assert allocate(host(("dockremap", 300000, 70000)), "dockremap") == Allocation(
        300000, 65536, for_uid=False, for_gid=False
    )


@pytest.mark.parametrize(
    ("own", "others", "start"),
    [
        (BLOCK, (), 100000),
        (("105", 100000, 131072), (), 100000),
        # Where its ids are not free in the other file: a new block for that one alone.
        (BLOCK, (("alice", 100000, 65536),), 165536),
        (("dockremap", 400000, 65536), (("alice", 420000, 10),), 465536),
    ],
)
@pytest.mark.parametrize("kind", ["uid", "gid"])
def test_047_only_one_file_lacks_the_range(kind: str, own: Any, others: Any, start: int) -> None:
    other = "gid" if kind == "uid" else "uid"
    accounts = host(**{kind: ranges(*others), other: ranges(own)})
    found = allocate(accounts, "dockremap")
    assert found == Allocation(start, 65536, for_uid=kind == "uid", for_gid=kind == "gid")


def test_047_several_small_ranges_cannot_be_matched() -> None:
    own = ranges(("dockremap", 100000, 30000), ("dockremap", 200000, 40000))
    assert allocate(host(uid=own, gid=[]), "dockremap").start == 240000


def test_053_a_missing_file_is_one_without_entries() -> None:
    accounts = host(uid=None, gid=None)
    assert judge("dockremap", accounts) == [
        "/etc/subuid has no entry of dockremap.",
        "/etc/subgid has no entry of dockremap.",
    ]
    assert allocate(accounts, "dockremap") == Allocation(100000, 65536, **BOTH)
    assert added(None, "dockremap", 100000, 65536) == "dockremap:100000:65536\n"


def test_no_room_is_said() -> None:
    limits = {**LIMITS, "SUB_UID_MAX": 150000}
    with pytest.raises(Refused, match="100000 to 150000: raise SUB_UID_MAX"):
        allocate(host(login_defs=limits), "dockremap")


SSS = {"source": "sss", "uid": ranges(BLOCK), "gid": ranges(BLOCK)}
LINE = "# by hand\ndockremap:100000:65536\n"


def test_063_ranges_of_a_directory_service_that_the_files_repeat() -> None:
    texts = {"uid": LINE, "gid": LINE}
    assert judge("dockremap", host(**SSS), texts) == []
    assert allocate(host(**SSS), "dockremap", texts) == Allocation(
        100000, 65536, for_uid=False, for_gid=False
    )


@pytest.mark.parametrize(
    ("told", "texts", "problem"),
    [
        ({}, None, "/etc/subuid lacks what getsubids tells, and dockerd reads the file alone: add the line "),
        ({}, {"uid": LINE, "gid": "alice:1:2\n"}, "/etc/subgid lacks what getsubids tells"),
        ({}, {"uid": LINE, "gid": LINE + "bob 1 2\n"}, "'bob 1 2' is not owner:start:count"),
        ({"uid": []}, {"uid": LINE, "gid": LINE}, "getsubids tells no uid range of dockremap"),
        ({"uid": ranges(("dockremap", 100000, 10))}, None, "has 10 ids"),
        ({"gid": {"error": "getsubids is not installed"}}, None, "getsubids is not installed"),
    ],
)
def test_063_files_are_never_written_beside_a_directory_service(told: Any, texts: Any, problem: str) -> None:
    accounts = host(**{**SSS, **told})
    found = judge("dockremap", accounts, texts)
    assert any(problem in said for said in found)
    with pytest.raises(Refused):
        allocate(accounts, "dockremap", texts)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (None, None),
        ("alice:100000:65536\n", None),
        ("dockremap:400000:1000\n\ndockremap:300000:70000\n", 400000),
        ("dockremap:400000:65536\n105:300000:65536\n", 300000),
    ],
)
def test_root_is_the_first_line_of_the_user_in_the_file(text: str | None, start: int | None) -> None:
    assert container_root("dockremap", host(), text) == start


@pytest.mark.parametrize("before", ["", "alice:1:2\n", "\n# x\n\n", "alice:1:2\r\n", "  alice:1:2  \n"])
def test_a_line_is_added_and_the_others_stay(before: str) -> None:
    assert added(before, "dockremap", 5, 6) == before + "dockremap:5:6\n"
    cut = before.rstrip("\n")
    assert added(cut, "dockremap", 5, 6) == (cut + "\n" if cut else "") + "dockremap:5:6\n"


def test_names_in_sentences_are_few_and_plain() -> None:
    assert few([]) == ""
    assert few("abcde") == "a, b, c, d, e"
    assert few("abcdefg") == "a, b, c, d, e and 2 more"
    assert few(["a\n\x1b[31mb", "\u202ec", "{0} %s {{ x }}"]) == "a??[31mb, ?c, {0} %s {{ x }}"
    assert few(["x" * 100]) == "x" * 77 + "..."
