# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Markdown pages: links lead somewhere, examples in YAML are YAML, and README.md has an index of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "docs/*.md", "roles/*/README.md", "tests/*/README.md")
PAGES = {str(path.relative_to(ROOT)): path for pattern in PATTERNS for path in sorted(ROOT.glob(pattern))}
OF_ALL = pytest.mark.parametrize("page", PAGES)


@cache
def tokens(path: Path) -> list[Token]:
    """Of the page, those within lines included."""
    parsed = MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8"))
    return [each for token in parsed for each in (token, *(token.children or []))]


@cache
def headings(path: Path) -> set[str]:
    """As a forge makes anchors of them."""
    found = tokens(path)
    titles = [found[n + 1].content for n, token in enumerate(found) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(path: Path) -> set[tuple[Path, str]]:
    """(file, heading or "") of each link into this repository."""
    targets = [str(each.attrGet("href") or each.attrGet("src") or "") for each in tokens(path)]
    parts = [each.partition("#") for each in targets if each and not re.match(r"\w+:", each)]
    return {((path.parent / file).resolve() if file else path, anchor) for file, _hash, anchor in parts}


@OF_ALL
def test_every_link_leads_to_a_file_and_a_heading(page):
    for file, anchor in links(PAGES[page]):
        assert file.exists()
        assert not anchor or anchor in headings(file)


@OF_ALL
def test_every_example_in_yaml_is_yaml(page):
    for token in tokens(PAGES[page]):
        if token.type == "fence" and token.info == "yaml":
            yaml.safe_load(token.content)


def test_the_index_in_the_readme_names_every_page():
    index = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Related Information")[2]
    left_out = {name for name in PAGES if f"({name})" not in index}
    # The README itself names the changelog before, and CONTRIBUTING.md the code of conduct.
    assert left_out <= {"README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md"}
