# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module daemon_apply: see plugin_utils/own_module.py."""

from __future__ import annotations

from ansible_collections.bulwark.docker.plugins.plugin_utils.own_module import ActionModule

__all__ = ["ActionModule"]
