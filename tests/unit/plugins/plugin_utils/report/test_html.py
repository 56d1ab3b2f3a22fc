# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page is escaped by its environment alone, and its policy lets nothing but its own code run."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.plugin_utils.report import html as page
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.document import build_report
from ansible_collections.bulwark.docker.plugins.plugin_utils.report.plain import plain
from jinja2 import UndefinedError
from markupsafe import Markup

from tests.unit.plugins import reports

ASSETS = Path(page.__file__).parent / "page"


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _unused in self.elements)

    def values(self, attribute: str) -> list[str]:
        return [
            attributes[attribute] or "" for _unused, attributes in self.elements if attribute in attributes
        ]


def rendered(count: int = 3, hostile: bool = False, controls: int = 60) -> str:
    return page.html(build_report(reports.make_hosts(count, controls=controls, hostile=hostile), "Audit"))


@pytest.fixture(scope="module")
def sound() -> Page:
    return Page(rendered())


@pytest.fixture(scope="module")
def hostile() -> Page:
    return Page(rendered(hostile=True))


def test_the_environment_escapes_whatever_is_printed():
    template = page.environment().from_string("{{ value }}|{{ '<b>' ~ value }}|<a title=\"{{ value }}\">")
    found = template.render(value="<script>\"'&\u202e")
    assert found == (
        "&lt;script&gt;&#34;&#39;&amp;&lt;U+202E&gt;"
        "|&lt;b&gt;&lt;script&gt;&#34;&#39;&amp;&lt;U+202E&gt;"
        '|<a title="&lt;script&gt;&#34;&#39;&amp;&lt;U+202E&gt;">'
    )


def test_the_environment_refuses_names_it_does_not_know():
    with pytest.raises(UndefinedError):
        page.environment().from_string("{{ nothing.at.all }}").render()


def test_nothing_in_the_sources_goes_around_the_escaping():
    template = (ASSETS / "page.html.j2").read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape|Markup|xmlattr|urlize", template)
    assert re.findall(
        r"Markup\b[^\n]*", Path(page.__file__).read_text(encoding="utf-8").split("def _finalize")[1]
    ) == [
        'Markup comes from the template\'s own macros alone."""',
        "Markup) else show(value)",
    ]


def test_no_attribute_of_the_template_is_unquoted():
    template = (ASSETS / "page.html.j2").read_text(encoding="utf-8")
    without_expressions = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "x", template)
    without_quoted = re.sub(r'\s[a-z-]+="[^"]*"', "", without_expressions)
    assert re.findall(r"<[a-z][^<>]*=[^<>]*>", without_quoted) == []


def test_markup_from_outside_is_text():
    subjects = [reports.subject("container", Markup("<b>x</b>"))]
    hosts = [reports.audited("web1", [reports.finding(reports.catalogue(1)[0], "fail", subjects)])]
    assert "<b>x</b>" in Page(page.html(build_report(plain(hosts, "hosts"), "Audit"))).text


@pytest.mark.parametrize("asset", ["page.css", "page.js"])
def test_the_policy_holds_the_hash_of_what_is_on_the_page(asset):
    text = rendered()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    tag = "style" if asset == "page.css" else "script"
    (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy
    assert policy.startswith("default-src &#39;none&#39;;")


def test_hostile_names_add_no_element_and_no_attribute(sound, hostile):
    def vocabulary(found: Page) -> set[tuple[str, tuple[str, ...]]]:
        return {(tag, tuple(sorted(attributes))) for tag, attributes in found.elements}

    changed = Page(page.html(build_report([reports.hardened("web1", [], [], "failed")], "Audit")))
    assert vocabulary(hostile) - vocabulary(sound) - vocabulary(changed) <= {
        ("details", ("class",)),
        ("pre", ()),
    }
    assert (hostile.count("script"), hostile.count("style")) == (1, 1)


def test_no_address_leaves_the_page(hostile):
    assert {value[0] for value in hostile.values("href")} == {"#"}
    assert not [
        name
        for _unused, attributes in hostile.elements
        for name in attributes
        if name in ("src", "style", "action")
    ]
    assert not [
        name for _unused, attributes in hostile.elements for name in attributes if name.startswith("on")
    ]


def test_every_link_has_its_target(hostile):
    targets = set(hostile.values("id"))
    assert len(targets) == len(hostile.values("id"))
    assert {link.removeprefix("#") for link in hostile.values("href")} <= targets


@pytest.mark.parametrize("name", reports.HOSTILE_NAMES)
def test_the_full_name_can_be_read(hostile, name):
    shown = "".join(char if char.isprintable() else f"<U+{ord(char):04X}>" for char in name)
    assert shown in hostile.text


def test_the_text_is_printable(hostile):
    assert [line for line in hostile.text.split("\n") if not line.isprintable()] == []


def test_every_host_and_control_is_on_the_page():
    hosts = reports.make_hosts(3, controls=60)
    found = Page(page.html(build_report(hosts, "Audit")))
    assert all(host["host"] in found.text for host in hosts)
    assert all(control["control"] in found.text for control in reports.catalogue(60))


def test_what_a_harden_run_did_is_on_the_page():
    (control,) = reports.catalogue(1)
    before = [reports.finding(control, "fail", [reports.subject("socket", "x")])]
    after = [reports.finding(control, "pass", [])]
    hosts = [
        reports.hardened("web1", before, after),
        reports.hardened("web2", before, before, "failed"),
        {**reports.audited("web3", before), "change": reports.change("check")},
        *(reports.hardened(f"web{n}", after, after, actions=[], refused=[]) for n in range(4, 7)),
    ]
    found = Page(page.html(build_report(hosts, "Audit")))
    text = " ".join(found.text.split())
    assert "1 host could not be changed web2" in text
    assert "0.0 % \N{RIGHTWARDS ARROW} 100.0 %" in text
    for one in (
        "the daemon did not start: exit status 1",
        "Tried set icc in /etc/docker/daemon.json",
        "Would be changed set icc",
        "2 containers would stop (web, db)",
        "remapping would hide 12 images daemon.userns_remap To consent, set userns_remap_allow_data_switch",
        "live-restore the host is a node of a swarm",
        "running containers keep the ulimits they have",
        "a restart of the daemon",
        f"1 control fixed Fixed: {control['control']}",
        "Everything is as it is to be.",
    ):
        assert one in text
    changes = [attributes for tag, attributes in found.elements if attributes.get("class") == "change"]
    assert ["open" in attributes for attributes in changes] == [True, *[False] * 5]


def test_an_audit_alone_has_no_changes(sound):
    assert "changes" not in sound.values("id")
    assert "#changes" not in sound.values("href")


def test_a_cell_shows_the_worst_of_several_engines_and_leads_to_it():
    control = reports.catalogue(1)[0]
    user = {**reports.finding(control, "fail", [reports.subject("container", "x")]), "engine": "rootless:ada"}
    system = {**reports.finding(control, "pass", []), "engine": "system"}
    context = page.html_context(build_report([reports.audited("web1", [user, system])], "Audit"))
    (shown,) = context["sections"][0]["controls"]
    assert shown["cells"] == [{"kind": "critical", "mark": "C", "entry": shown["entries"][0]["id"]}]
    assert [entry["engine"] for entry in shown["entries"]] == ["rootless:ada", "system"]


def test_a_control_that_a_host_does_not_have_leaves_its_cell_empty():
    one, two = reports.catalogue(2)
    entered = [
        reports.audited("a", [reports.finding(one, "pass", [])]),
        reports.audited("b", [reports.finding(two, "pass", [])]),
        reports.unaudited("c"),
    ]
    context = page.html_context(build_report(entered, "Audit"))
    cells = {control["control"]: control["cells"] for control in context["sections"][0]["controls"]}
    assert [cell is None for cell in cells[one["control"]]] == [False, True, True]
    assert [cell is None for cell in cells[two["control"]]] == [True, False, True]


@pytest.mark.parametrize(
    ("hosts", "tally"),
    [
        ([{"fail": 2, "pass": 5}], "2 of 7"),
        ([{"fail": 1}], ""),
        ([{"fail": 2, "pass": 5}, {"fail": 1}], "2 of 2 hosts"),
    ],
)
def test_a_control_says_how_much_of_it_failed(hosts, tally):
    control = reports.catalogue(1)[0]
    subjects: list[Any] = [reports.subject("container", "x")]
    entered = [
        reports.audited(f"web{n}", [{**reports.finding(control, "fail", subjects), "counts": counts}])
        for n, counts in enumerate(hosts)
    ]
    (shown,) = page.html_context(build_report(entered, "Audit"))["sections"][0]["controls"]
    assert shown["tally"] == tally


def test_a_hundred_hosts_stay_a_page_that_can_be_mailed():
    assert len(rendered(100, controls=150).encode()) < 10_000_000
