# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that bear the name of a variable of this collection.

Any result of any module on a host may bring facts. Ansible lets them win over the variables of the inventory and the
defaults of roles, so that a host could say where the controller writes, what it signs and whom it scans.
"""

from __future__ import annotations

from collections.abc import Iterable

# What the variables of the collection begin with: the names of its roles, and of playbooks that have some of their own.
PREFIXES = (
    "certificate_authority_",
    "compliance_audit_",
    "compliance_report_",
    "daemon_apply_",
    "daemon_config_",
    "daemon_tls_",
    "harden_",
    "listening_services_",
    "rollback_",
    "rootless_",
    "rotate_tls_ca_",
    "tls_",
    "userns_remap_",
)


def told_variables(facts: Iterable[str]) -> list[str]:
    """The names among the facts that are those of variables of this collection, inner ones too, sorted."""
    return sorted(name for name in map(str, facts) if name.lstrip("_").startswith(PREFIXES))
