# SPDX-FileCopyrightText: 2026 Bulwark contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell how long a certificate is still valid."""

from __future__ import annotations

DOCUMENTATION = r"""
name: certificate_days_left
short_description: Tell how long a certificate is still valid
version_added: 0.1.0
author:
  - Bulwark contributors (@bulwark)
description:
  - Gives the days until a certificate ends. Unlike the filter community.crypto.x509_certificate_info it does not fail
    on what is no certificate, which has no day left.
requirements:
  - cryptography, which ansible-core brings.
options:
  _input:
    description:
      - A certificate as PEM. Of several, the first counts.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Renew in time
  ansible.builtin.debug:
    msg: It is time.
  when: (pem | bulwark.docker.certificate_days_left) < 30
"""

RETURN = r"""
_value:
  description:
    - The days, as a number with a fraction. Negative once it has ended, V(0) when it is no certificate.
  type: float
"""

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

try:
    from cryptography import x509
except ImportError as error:  # pragma: no cover
    _MISSING: ImportError | None = error
else:
    _MISSING = None

_DAY = 86400.0


def certificate_days_left(pem: str) -> float:
    """The days until the certificate ends, 0 where there is none."""
    if _MISSING is not None:
        raise _MISSING
    try:
        certificate = x509.load_pem_x509_certificate(str(pem).encode())
    except ValueError:
        return 0.0
    # Since cryptography 42 with a time zone; before, naive and in UTC.
    if hasattr(certificate, "not_valid_after_utc"):
        end = certificate.not_valid_after_utc
    else:
        end = certificate.not_valid_after.replace(tzinfo=timezone.utc)
    return (end - datetime.now(timezone.utc)).total_seconds() / _DAY


class FilterModule:
    """Tells Ansible which filters are here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {"certificate_days_left": certificate_days_left}
