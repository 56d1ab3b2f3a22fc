# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In Markdown what a host said is text, whatever it looks like."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.markdown import markdown
from markdown_it import MarkdownIt

from tests.unit.plugins import reports

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# All that a report may consist of.
KINDS = {"heading", "paragraph", "inline", "text", "strong", "code_inline", "softbreak"}
KINDS |= {"bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td"}


def kinds(text: str) -> set[str]:
    tokens = RENDERER.parse(text)
    return {
        token.type.removesuffix("_open").removesuffix("_close")
        for block in tokens
        for token in (block, *(block.children or ()))
    }


def rendered(hosts: list[dict[str, Any]], title: str = "Audit") -> str:
    return markdown(build_report(hosts, title))


def one(name: str, **more: Any) -> list[dict[str, Any]]:
    """A host with one failure, whose subject has the name."""
    (control,) = reports.catalogue(1)
    subjects = [reports.subject("container", name, expected=name, actual=name, evidence=name)]
    finding = {**reports.finding(control, "fail", subjects, message=name), "title": name, **more}
    return [
        reports.hardened("web1", [], [finding], text=name),
        {**reports.unaudited(name, message=name), "change": reports.change("failed", name)},
    ]


@pytest.mark.parametrize(
    "name",
    [
        *reports.HOSTILE_NAMES,
        "`",
        "``a`",
        " a ",
        "a\\",
        "|",
        "*",
        "http://x",
        "1. x",
        "2) x",
        "# x",
        "---",
        "+ x",
        "- x",
    ],
)
def test_a_hostile_name_adds_no_markup(name):
    assert kinds(rendered(one(name), title=name)) <= KINDS


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_a_hostile_name_changes_no_structure(name):
    def shape(text: str) -> list[str]:
        inline = ("inline", "text", "code_inline")
        return [token.type for token in RENDERER.parse(text) if token.type not in inline]

    assert shape(rendered(one(name))) == shape(rendered(one("plain")))


@pytest.mark.parametrize(
    "name", ["a`b", "`a``b`", " padded ", "pipe | here", "<b>bold</b>", "*a* _b_ [c](d)"]
)
def test_names_are_read_as_they_are(name):
    spans = [
        token.content
        for block in RENDERER.parse(rendered(one(name)))
        for token in block.children or ()
        if token.type == "code_inline"
    ]
    assert spans.count(name) >= 4


@pytest.mark.parametrize("text", ["see https://evil.example/ or www.evil.example", "ask @everyone ~~now~~"])
def test_sentences_hold_no_bare_link_or_mention(text):
    found = rendered(one("web", message=text, title=text))
    assert not [word for word in ("https:", "www.", "@", "~~") if word in found]


def test_the_parts_of_a_report():
    found = rendered(reports.make_hosts(3, controls=60))
    headings = [line for line in found.splitlines() if line.startswith("## ")]
    assert [heading.split(" (")[0] for heading in headings] == [
        "## Hosts",
        "## Failed controls",
        "## Could not be read",
        "## To be judged by hand",
        "## Waived",
        "## Waivers",
    ]
    assert "**1 host could not be audited**" in found
    assert "| `web002` | **unreachable** |" in found
    assert found.endswith("|\n")


def test_what_a_harden_run_did():
    (control,) = reports.catalogue(1)
    before = [reports.finding(control, "fail", [reports.subject("socket", "x")])]
    after = [reports.finding(control, "pass", [])]
    found = rendered(
        [reports.hardened("web1", before, after), reports.hardened("web2", before, before, "failed")]
    )
    assert "| `web1` | 0.0 % -&gt; 100.0 % |" in found
    assert (
        f"""
## Changes

### `web1`: changed

- Score: 0.0 % -&gt; 100.0 % (1 control fixed)
- Fixed: `{control["control"]}`
- Changed:
  - set icc in /etc/docker/daemon.json
  - set no-new-privileges in /etc/docker/daemon.json
- Effect: a restart of the daemon
- Cost:
  - 2 containers would stop (`web`, `db`)
- Refused:
  - remapping would hide 12 images (`daemon.userns_remap`); to consent, set `userns_remap_allow_data_switch`
- Left as it is:
  - `live-restore`: the host is a node of a swarm
- To know:
  - running containers keep the ulimits they have
- Transaction: `20261122T100000-1`

### `web2`: failed, rolled back

- Score: 0.0 % -&gt; 0.0 %
- **the daemon did not start: exit status 1**
- Tried:
"""
        in found
    )


def test_many_actions_say_what_they_leave_out():
    found = rendered([reports.hardened("web1", [], [], actions=[f"set {n}" for n in range(60)])])
    assert "  - and 10 more in report.json" in found


def test_nothing_failed():
    (control,) = reports.catalogue(1)
    assert "## Failed controls (0)\n\nNone.\n" in rendered(
        [reports.audited("web1", [reports.finding(control, "pass", [])])]
    )


def test_long_lists_say_what_they_leave_out():
    (control,) = reports.catalogue(1)
    many = [reports.subject("container", f"web{number}") for number in range(30)]
    hosts = [
        reports.audited(f"node{n:02}", [reports.finding(control, "fail", many, message=f"case {n}")])
        for n in range(25)
    ]
    found = rendered(hosts)
    assert "- and 5 more in report.json" in found
    assert "and 10 more: expected" in found


@pytest.mark.parametrize("hostile", [False, True])
def test_every_line_is_printable(hostile):
    found = rendered(reports.make_hosts(3, hostile=hostile))
    assert [line for line in found.splitlines() if not line.isprintable()] == []
