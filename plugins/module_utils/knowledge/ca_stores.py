# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where distributions keep the CAs that a system trusts for other purposes. A pure table."""

from __future__ import annotations

PUBLIC_STORES = ("/etc/ssl/", "/etc/pki/", "/etc/ca-certificates/", "/usr/share/ca-certificates/")
