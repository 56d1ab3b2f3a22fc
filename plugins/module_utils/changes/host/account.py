# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account that something belongs to, by name and ids."""

from __future__ import annotations

import pwd
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base.identity import Owner
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host.atomic_files import Unwritable


class Account(NamedTuple):
    """One that is yet to be created has no ids: nothing can be done as it."""

    name: str
    uid: int | None
    gid: int | None

    @property
    def is_root(self) -> bool:
        """Whether what it names is root's own."""
        return self.uid == 0

    @property
    def owner(self) -> Owner:
        """Its ids. Raises Unwritable for an account that is yet to be created."""
        if self.uid is None or self.gid is None:
            raise Unwritable(f"there is no account {self.name} yet")
        return Owner(self.uid, self.gid)


ROOT = Account("root", 0, 0)


def of(name: str) -> Account:
    """The account of that name. Raises Unwritable where there is none."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise Unwritable(f"there is no account {name} any more") from None
    return Account(name, found.pw_uid, found.pw_gid)


def to_come(name: str) -> Account:
    """The account of that name, which is yet to be created."""
    return Account(name, None, None)


def same(account: Account) -> Account:
    """That account, if it is still the one with these ids: another may bear its name today. Raises Unwritable."""
    now = of(account.name)
    if now != account:
        raise Unwritable(
            f"account {account.name} has the ids {now.uid}:{now.gid} now and had {account.uid}:{account.gid}: what "
            "belonged to the former one is left as it is"
        )
    return now


def home(account: Account) -> str:
    """Its home directory. Raises Unwritable where the account is not there any more, or is another one."""
    return pwd.getpwnam(same(account).name).pw_dir
