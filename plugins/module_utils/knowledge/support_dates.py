# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the support of operating systems ends, as their vendors published it. Data only, as of 2026-11-22.

Free security updates count: Debian's LTS does, ESM, ELS and LTSS, which are bought, do not. Systems bear
their ID of os-release, versions their VERSION_ID or its beginning; SUPPORT_END of os-release comes first.
"""

from __future__ import annotations

_RHEL = {"7": "2024-06-30", "8": "2029-05-31", "9": "2032-05-31", "10": "2035-05-31"}
_DEBIAN = {
    "8": "2020-06-30",
    "9": "2022-06-30",
    "10": "2024-06-30",
    "11": "2026-08-31",
    "12": "2028-06-30",
    "13": "2030-06-30",
}

SUPPORT_ENDS: dict[str, dict[str, str]] = {
    "almalinux": {"8": "2029-03-01", "9": "2032-05-31", "10": "2035-05-31"},
    "alpine": {
        "3.16": "2024-05-23",
        "3.17": "2024-11-22",
        "3.18": "2025-05-09",
        "3.19": "2025-11-01",
        "3.20": "2026-04-01",
        "3.21": "2026-11-01",
        "3.22": "2027-05-01",
        "3.23": "2027-11-01",
    },
    "amzn": {"2018.03": "2023-12-31", "2": "2026-06-30", "2023": "2029-06-30"},
    # 8 is Stream 8: CentOS Linux 8 ended earlier, on 2021-12-31.
    "centos": {"7": "2024-06-30", "8": "2024-05-31", "9": "2027-05-31", "10": "2030-01-01"},
    "debian": _DEBIAN,
    "fedora": {"39": "2024-11-26", "40": "2025-05-13", "41": "2025-12-15"},
    "ol": {"7": "2024-12-31", "8": "2029-07-31", "9": "2032-06-30", "10": "2035-06-30"},
    "opensuse-leap": {"15.4": "2023-12-07", "15.5": "2024-12-31", "15.6": "2026-04-30", "16.0": "2027-10-31"},
    "raspbian": _DEBIAN,
    "rhel": _RHEL,
    "rocky": {version: date for version, date in _RHEL.items() if version != "7"},
    "sles": {
        "12.5": "2024-10-31",
        "15.3": "2022-12-31",
        "15.4": "2023-12-31",
        "15.5": "2024-12-31",
        "15.6": "2025-12-31",
        "15.7": "2031-07-31",
        "16.0": "2027-11-30",
    },
    "ubuntu": {
        "16.04": "2021-04-30",
        "18.04": "2023-05-31",
        "20.04": "2025-05-31",
        "22.04": "2027-04-30",
        "23.10": "2024-07-12",
        "24.04": "2029-05-31",
        "24.10": "2025-07-10",
        "25.04": "2026-01-17",
        "25.10": "2026-07-01",
        "26.04": "2031-04-30",
    },
}

# Systems without releases: supported as long as they are updated.
ROLLING = (
    "arch",
    "bottlerocket",
    "flatcar",
    "gentoo",
    "opensuse-microos",
    "opensuse-tumbleweed",
    "talos",
    "void",
)
ROLLING_VARIANTS = ("coreos",)


def support_end(os_id: str, version: str) -> str | None:
    """The last day of support, None where the table does not know it. 9.4 counts as 9, 3.22.1 as 3.22."""
    versions = SUPPORT_ENDS.get(os_id, {})
    parts = version.split(".")
    known = (versions.get(".".join(parts[:count])) for count in range(len(parts), 0, -1))
    return next(filter(None, known), None)
