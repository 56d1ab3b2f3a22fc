# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which steps stop a unit, and the drop-ins that bind it elsewhere. They are done on real hosts by other tests."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services import plan, steps
from ansible_collections.bulwark.docker.plugins.module_utils.changes.listening_services.unit_closure import (
    Closure,
    Unit,
)

BARE = Unit("", (), "loaded", True, "enabled", "/usr/lib/systemd/system/x", (), (), (), False, ())


def unit(name: str, **changed) -> Unit:
    return BARE._replace(name=name, names=(name,), **changed)


def closure(*units: Unit, **needed_by) -> Closure:
    return Closure(units, {name.replace("_", "."): by for name, by in needed_by.items()}, {}, {})


def told(planned):
    return [(step.kind, step.key, step.value) for step in planned]


@pytest.mark.parametrize(
    ("verb", "kinds"), [("stop", 1), ("disable", 2), ("mask", 3)], ids=["stop", "disable", "mask"]
)
def test_units_are_ordered_together(verb, kinds):
    found = closure(unit("x.socket"), unit("x.service"))
    expected = [("running", False), ("enabled", False), ("masked", True)][:kinds]
    key = "x.socket x.service"
    assert told(steps.off(found, verb)) == [(kind, key, [value] * 2) for kind, value in expected]


def test_what_is_so_already_is_left_out():
    off = {"active": False, "file_state": "masked"}
    found = closure(unit("x.socket", **off), unit("x.service", active=False, file_state="static"))
    assert told(steps.off(found, "disable")) == []
    assert told(steps.off(found, "mask")) == [("masked", "x.service", True)]


def test_file_of_the_administrator_is_not_masked():
    found = closure(unit("x.service", fragment="/etc/systemd/system/x.service"))
    assert [step.kind for step in steps.off(found, "mask")] == ["running", "enabled"]


def test_instances_for_clients_do_not_come_back():
    """One of a template that stands for itself is like any other unit."""
    served = unit("x@0-127.0.0.1:80-127.0.0.1:5000.service", file_state="static")
    own = unit("db@main.service")
    found = closure(unit("x.socket", accepts=True), own, served)
    assert told(steps.off(found, "mask")) == [
        ("running", "x.socket db@main.service", [False, False]),
        ("clients", served.name, False),
        ("enabled", "x.socket db@main.service", [False, False]),
        ("masked", "x.socket db@main.service", [True, True]),
    ]


@pytest.mark.parametrize(
    ("has", "wanted", "expected"),
    [
        (
            [("Stream", "0.0.0.0:70"), ("Stream", "/run/x.sock")],
            ["127.0.0.1:70"],
            ["ListenStream=", "ListenStream=/run/x.sock", "ListenStream=127.0.0.1:70"],
        ),
        (
            [("Stream", "[::]:70"), ("Datagram", "[::]:70")],
            ["[::1]:70"],
            ["ListenStream=", "ListenDatagram=", "ListenStream=[::1]:70", "ListenDatagram=[::1]:70"],
        ),
        (
            [("FIFO", "/run/x.fifo"), ("Datagram", "@x"), ("Datagram", "70")],
            ["127.0.0.1:70"],
            [
                *("ListenDatagram=", "ListenFIFO=", "ListenFIFO=/run/x.fifo", "ListenDatagram=@x"),
                "ListenDatagram=127.0.0.1:70",
            ],
        ),
        (
            [("Stream", "/run/x.sock")],
            ["127.0.0.1:70"],
            ["ListenStream=", "ListenStream=/run/x.sock", "ListenStream=127.0.0.1:70"],
        ),
    ],
    ids=["path", "two types", "others", "path alone"],
)
def test_lists_are_cleared_before_they_are_filled(has, wanted, expected):
    text = steps._listen(unit("x.socket", listens=tuple(has)), wanted)
    assert text.splitlines()[1] == "[Socket]"
    assert [line for line in text.splitlines() if line.startswith("Listen")] == expected


def test_what_needs_another_stops_first():
    """It would stop with that, and nothing would bring it back."""
    low = closure(unit("low.service"), low_service=("mid.service",))
    mid = closure(unit("mid.service"), mid_service=("high.service",))
    high = closure(unit("high.service"))
    found = {"low.service": low, "mid.service": mid, "high.service": high}
    assert list(plan._going(found)) == ["high.service", "mid.service", "low.service"]
    # Without the last, both others are needed by what stays.
    assert plan._going({"low.service": low, "mid.service": mid}) == {}
    each_other = {
        "a.service": closure(unit("a.service"), a_service=("b.service",)),
        "b.service": closure(unit("b.service"), b_service=("a.service",)),
    }
    assert set(plan._going(each_other)) == {"a.service", "b.service"}
