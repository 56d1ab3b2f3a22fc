# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for `make site`."""

from __future__ import annotations

from pathlib import Path

import yaml

_ROOT = Path(__file__).parents[2]

project = "bulwark.docker"
copyright = "Bulwark contributors, GPL-3.0-or-later"
_GALAXY = yaml.safe_load((_ROOT / "galaxy.yml").read_text(encoding="utf-8"))
version = release = _GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
# Guides link to headings of each other, as on a forge.
myst_heading_anchors = 3
# As antsibull-docs writes its pages.
default_role = "any"
nitpicky = True
# They stand in Ansible's own documentation.
nitpick_ignore = [
    ("ref", "action_plugins"),
    ("ref", "ansible_configuration_settings"),
    ("ref", "common_return_values"),
]

# What antsibull-docs writes its pages for. As set here, it loads nothing from other hosts.
html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "documentation_home_url": _GALAXY["homepage"],
    "topbar_links": {"Repository": _GALAXY["repository"], "Issues": _GALAXY["issues"]},
}
html_title = f"{project} {version}"
html_use_index = False
html_copy_source = False
html_show_sphinx = False
