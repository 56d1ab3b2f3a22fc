# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser: harmless, readable in every way, and quick with a hundred hosts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.webdriver import Browser

Finding = dict[str, Any]

OPEN_ALL = "for (const control of document.querySelectorAll('.control')) control.open = true"
SHOWN = """return [...document.querySelectorAll('.control')].filter(control => control.checkVisibility())
  .map(control => control.querySelector('code').textContent).sort()"""
OVERFLOW = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The WCAG contrast of each element's text with the first background behind it that is not transparent.
CONTRASTS = """
const channels = color => color.match(/[\\d.]+/g).map(Number);
const luminance = color => channels(color).slice(0, 3)
  .map(value => value / 255).map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
  .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
const behind = element => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (channels(color)[3] !== 0) return color;
  }
  return 'rgb(255, 255, 255)';
};
const found = {};
for (const selector of arguments[0]) {
  const element = document.querySelector(selector);
  const [one, other] = [getComputedStyle(element).color, behind(element)].map(luminance);
  found[selector] = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}
return found;
"""
TEXTS = [
    *("h1", ".top .dim", "nav a", ".severities .critical dd", ".severities .medium dt", ".hosts a"),
    *(f".matrix .{kind} a" for kind in ("critical", "high", "medium", "low", "info")),
    *(f".matrix .{kind} a" for kind in ("unknown", "manual", "waived")),
    *(".matrix td.pass", ".badge.medium", ".badge.quiet", ".control .tally", ".entry .message"),
    *(".missing p", ".waiver b", ".body aside dd", ".note", "footer"),
]


def outcome(finding: Finding) -> str:
    return "waived" if finding["waived"] else str(finding["verdict"])


def controls(shown: Any, wanted: Callable[[Finding], bool]) -> list[str]:
    """The controls of the report with a finding that is wanted."""
    return sorted({finding["control"] for finding in shown.report["findings"] if wanted(finding)})


@pytest.fixture
def page(browser: Browser, few: Any) -> Browser:
    """The report of three hosts, as it opens."""
    browser.media()
    browser.open(few.path)
    return browser


def test_hostile_names_do_nothing(browser, hostile, pictures):
    browser.requests()
    browser.console()
    browser.open(hostile.path)
    browser.run(OPEN_ALL)
    browser.screenshot(pictures / "hostile.png")
    assert browser.run("return [typeof window.pwned, document.title]") == ["undefined", "Docker host audit"]
    foreign = "script:not(body > script:last-of-type), style:not(head > style), img, iframe, link, .injected"
    assert browser.run("return document.querySelectorAll(arguments[0]).length", foreign) == 0
    assert [address for address in browser.requests() if not address.startswith("chrome")] == [
        hostile.path.as_uri()
    ]
    assert browser.console() == []


def test_hostile_names_are_isolated_and_do_not_widen_the_page(browser, hostile):
    browser.open(hostile.path)
    browser.run(OPEN_ALL)
    assert browser.run("return getComputedStyle(document.querySelector('bdi')).unicodeBidi") == "isolate"
    assert browser.run(OVERFLOW) == 0
    text = browser.run("return document.body.textContent")
    assert "invoice<U+202E>gpj.exe<U+2069>" in text
    assert "k" * 1024 in text
    assert not re.search("[\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069]", text)


def test_the_policy_stops_what_would_get_in_all_the_same(page):
    page.run("""
      const script = document.createElement('script'), image = new Image();
      script.textContent = 'window.pwned = 1';
      image.src = 'https://evil.example/x.png';
      document.body.append(script, image);
      const text = '<p id="styled" style="color: red" onclick="window.pwned = 2">x</p>';
      document.body.insertAdjacentHTML('beforeend', text);
      document.getElementById('styled').click();
    """)
    assert page.run("return typeof window.pwned") == "undefined"
    blocked = "\n".join(page.console())
    for way_in in ("inline script", "inline event handler", "inline style", "image"):
        assert way_in in blocked


def test_the_page_is_complete_without_javascript(chromium, few, pictures):
    with Browser(javascript=False) as browser:
        browser.open(few.path)
        assert not browser.run("return document.getElementById('filters').checkVisibility()")
        names = [finding["control"] for finding in few.report["findings"]]
        assert browser.run(SHOWN) == sorted(set(names))
        body = (
            "return document.querySelector('.control .body').checkVisibility({contentVisibilityAuto: true})"
        )
        assert not browser.run(body)
        browser.click(".control summary")
        assert browser.run(body)
        browser.screenshot(pictures / "without-javascript.png", whole=True)


@pytest.mark.parametrize(
    ("selectors", "wanted"),
    [
        (["[value=fail]"], lambda one: outcome(one) == "fail"),
        (["[value=waived]"], lambda one: outcome(one) == "waived"),
        (["[value=pass]", "[value=unknown]"], lambda one: outcome(one) in ("pass", "unknown")),
        (["[value=critical]", "[value=low]"], lambda one: one["severity"] in ("critical", "low")),
        (["[value=fail]", "[value=high]"], lambda one: outcome(one) == "fail" and one["severity"] == "high"),
    ],
)
def test_boxes_filter_by_verdict_and_severity(page, few, selectors, wanted):
    for selector in selectors:
        page.click(f"#filters {selector}")
    expected = controls(few, wanted)
    page.wait("document.querySelector('output').value.startsWith(arguments[0])", f"{len(expected)} of ")
    assert page.run(SHOWN) == expected
    page.click("#filters [type=reset]")
    page.wait("document.querySelector('output').value === '150 of 150 controls'")


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("scope", "daemon", lambda one: one["scope"] == "daemon"),
        ("host", "1", lambda one: one["host"] == "web001"),
    ],
)
def test_lists_filter_by_scope_and_host(page, few, field, value, wanted):
    page.run(
        "const field = document.querySelector(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input', {bubbles: true}))",
        f"select[name={field}]",
        value,
    )
    expected = controls(few, wanted)
    page.wait("document.querySelector('output').value.startsWith(arguments[0])", f"{len(expected)} of ")
    assert page.run(SHOWN) == expected


def test_text_filters_by_control_and_by_what_was_found(page, few):
    page.type("#filters [name=text]", "USERNS_remap")
    page.wait("document.querySelector('output').value.startsWith('1 of ')")
    assert page.run(SHOWN) == ["daemon.userns_remap"]
    page.click("#filters [type=reset]")
    name = next(
        one["subjects"][0]["name"]
        for one in few.report["findings"]
        if one["subjects"] and one["subjects"][0]["kind"] == "container"
    )
    expected = controls(few, lambda one: any(name in subject["name"] for subject in one["subjects"]))
    page.type("#filters [name=text]", name)
    page.wait("document.querySelector('output').value.startsWith(arguments[0])", f"{len(expected)} of ")
    assert page.run(SHOWN) == expected


def test_what_a_harden_run_did_is_shown_with_both_scores(browser, hardened, pictures):
    browser.media()
    browser.open(hardened.path)
    rows = browser.run("""
      return [...document.querySelectorAll('.change')].map(change => [change.querySelector('.what').textContent,
        change.open, change.querySelector('.body').checkVisibility({contentVisibilityAuto: true})])
    """)
    assert rows == [["web001", True, True], *([f"web{n:03}", False, False] for n in (2, 3, 4, 0))]
    browser.run("for (const change of document.querySelectorAll('.change')) change.open = true")
    browser.screenshot(pictures / "hardened.png", whole=True)
    host = hardened.report["hosts"][0]
    scores = [f"{one['score']['percent']:.1f} %" for one in (host["before"], host)]
    shown = browser.run("return [...document.querySelectorAll('.change .tally')].at(-1).innerText")
    assert shown == " \N{RIGHTWARDS ARROW} ".join(scores)
    assert browser.run("return document.querySelectorAll('.change .refused code').length") == 10
    assert browser.run("return document.querySelector('.missing h2').textContent") == (
        "1 host could not be changed"
    )
    assert browser.run(OVERFLOW) == 0


def test_filters_reach_into_controls_and_into_the_matrix(page):
    page.click("a[data-host='0']")
    page.click("#filters [value=fail]")
    page.wait("!document.querySelector('.matrix').rows[0].cells[2].checkVisibility()")
    assert page.run("return document.querySelector('.matrix').rows[0].cells[1].checkVisibility()")
    page.wait("document.querySelector('.matrix tr[hidden]')")
    page.run(OPEN_ALL)
    entries = page.run("""
      return [...document.querySelectorAll('.entry')].filter(entry => entry.checkVisibility())
        .map(entry => [entry.dataset.outcome, entry.dataset.hosts.split(' ').includes('0')])
    """)
    assert entries
    assert {tuple(entry) for entry in entries} == {("fail", True)}
    rows = "return document.querySelectorAll('.matrix tr[id]:not([hidden])').length"
    assert page.run(rows) == len(page.run(SHOWN))


def test_a_cell_of_the_matrix_leads_to_its_finding(page):
    target = page.run("return document.querySelector('.matrix td.critical a').getAttribute('href').slice(1)")
    page.click(".matrix td.critical a")
    page.wait("document.getElementById(arguments[0]).checkVisibility()", target)
    page.wait("document.getElementById(arguments[0]).getBoundingClientRect().top < innerHeight", target)
    edges = page.run(
        """return [document.getElementById(arguments[0]), document.getElementById('filters')]
          .map(element => element.getBoundingClientRect())""",
        target,
    )
    assert edges[0]["top"] >= edges[1]["bottom"]


def test_all_controls_open_and_close_at_once(page):
    count = "return document.querySelectorAll('.control[open]').length"
    page.click("[name=expand]")
    assert page.run(count) == 150
    page.click("[name=expand]")
    assert page.run(count) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(page, pictures, scheme):
    page.media(("prefers-color-scheme", scheme))
    page.screenshot(pictures / f"few-{scheme}.png")
    page.run("for (const index of [0, 1]) document.querySelectorAll('.control')[index].open = true")
    page.run("document.getElementById('findings').scrollIntoView()")
    page.screenshot(pictures / f"findings-{scheme}.png")
    page.run(OPEN_ALL)
    contrasts = page.run(CONTRASTS, TEXTS)
    assert {selector: round(ratio, 2) for selector, ratio in contrasts.items() if ratio < 4.5} == {}
    assert (
        page.run("return getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(17, 22, 29)",
        }[scheme]
    )


def test_everything_that_can_be_operated_has_a_name(page):
    page.devtools("Accessibility.enable")
    tree = page.devtools("Accessibility.getFullAXTree")["nodes"]
    operated = {"button", "checkbox", "combobox", "link", "searchbox", "DisclosureTriangle"}
    nodes = [node for node in tree if not node["ignored"] and node["role"]["value"] in operated]
    assert len(nodes) > 150
    assert [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")] == []
    assert page.run("return [document.documentElement.lang, document.querySelectorAll('h1').length]") == [
        "en",
        1,
    ]


def test_what_failed_is_printed_though_it_was_closed(page, pictures):
    page.media(kind="print")
    visible = "document.querySelector(arguments[0]).checkVisibility({contentVisibilityAuto: true})"
    # What was not rendered until now is so with the next frame only.
    page.wait(visible, ".fail .control:not([open]) .message")
    assert not page.run(f"return {visible}", ".pass .control .message")
    assert not page.run(f"return {visible}", "#filters")
    page.media()
    page.pdf(pictures / "few.pdf")
    assert len(re.findall(rb"/Type\s*/Page\b", (pictures / "few.pdf").read_bytes())) > 5
    assert page.run("return document.querySelectorAll('.control[open]').length") == 0


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_the_page_fits_the_window(chromium, few, hostile, width):
    with Browser(max(width, 500), 900) as browser:
        for shown in (few, hostile):
            browser.devtools(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
            )
            browser.open(shown.path)
            browser.run(OPEN_ALL)
            assert browser.run(OVERFLOW) == 0


def test_a_hundred_hosts_open_and_filter_quickly(browser, many, pictures):
    browser.media()
    started = time.monotonic()
    browser.open(many.path)
    loaded = time.monotonic() - started
    assert loaded < 30
    assert browser.run("return document.querySelectorAll('.matrix td').length") == 150 * 100
    assert browser.run("return document.querySelector('output').value") == "150 of 150 controls"
    browser.screenshot(pictures / "many.png")
    browser.run("document.getElementById('matrix').scrollIntoView()")
    browser.screenshot(pictures / "many-matrix.png")
    spent = browser.run("""
      const form = document.getElementById('filters'), started = performance.now();
      form.elements.host.value = '5';
      form.elements.text.value = 'db-5';
      form.dispatchEvent(new Event('reset'));
      return new Promise(done => setTimeout(() => {
        document.body.offsetHeight;
        done(performance.now() - started);
      }, 0));
    """)
    assert spent < 10_000
    expected = controls(
        many,
        lambda one: one["host"] == "web005" and any("db-5" in subject["name"] for subject in one["subjects"]),
    )
    assert browser.run(SHOWN) == expected
