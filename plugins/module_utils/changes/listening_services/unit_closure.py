# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which units have to stop together, so that nothing starts one of them again; and who needs them. Asked of systemd."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import limits, reading
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host.units import listens

_SECONDS = 20
_PROPERTIES = (
    *("Id", "Names", "LoadState", "ActiveState", "UnitFileState", "FragmentPath", "SourcePath"),
    *("TriggeredBy", "Triggers", "RequiredBy", "BoundBy", "Accept", "Listen"),
)
_TRIGGERS = (".socket", ".path", ".timer", ".automount")
_OF_THE_ADMINISTRATOR = "/etc/systemd/system/"
_BUS_SERVICES = ("/usr/share/dbus-1/system-services", "/usr/local/share/dbus-1/system-services")


class Unit(NamedTuple):
    """A unit as systemd has it."""

    name: str
    names: tuple[str, ...]
    load: str
    active: bool
    file_state: str
    fragment: str
    triggered_by: tuple[str, ...]
    triggers: tuple[str, ...]
    needed_by: tuple[str, ...]
    accepts: bool
    listens: tuple[tuple[str, str], ...]

    @property
    def is_trigger(self) -> bool:
        """Whether it starts another unit."""
        return self.name.endswith(_TRIGGERS)

    @property
    def is_enabled(self) -> bool:
        """Whether something starts it at boot."""
        return self.file_state == "enabled"

    @property
    def is_generated(self) -> bool:
        """Whether it is made of something else, such as a script of SysV, which is enabled or not by itself."""
        return self.file_state == "generated"

    @property
    def is_masked(self) -> bool:
        """Whether nothing can start it."""
        return self.file_state in ("masked", "masked-runtime") or self.load == "masked"

    @property
    def is_of_the_administrator(self) -> bool:
        """Whether its file lies where mask would put its link: `mask` fails then."""
        return self.fragment.startswith(_OF_THE_ADMINISTRATOR) and not self.is_masked


class Closure(NamedTuple):
    """`units`: what starts services first, then these; `needed_by`: {unit of it: active units that would stop with it};
    `bus`: {unit of it: name by which D-Bus starts it}, `bus_enabled` those that it starts only while they are enabled.
    """

    units: tuple[Unit, ...]
    needed_by: Mapping[str, tuple[str, ...]]
    bus: Mapping[str, str]
    bus_enabled: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Those of its units."""
        return tuple(unit.name for unit in self.units)

    @property
    def dependents(self) -> set[str]:
        """The active units that would stop with it."""
        return {name for units in self.needed_by.values() for name in units}


def closure(name: str) -> Closure | None:
    """That of the unit, None where systemd knows no such unit. Raises Unreadable when it cannot be asked."""
    found: dict[str, Unit] = {}
    due = {name}
    while due:
        for unit in show(due).values():
            if unit.load == "not-found" and unit.name == name:
                return None
            found[unit.name] = unit
        known = {each for unit in found.values() for each in (*unit.names, unit.name)}
        due = {each for unit in found.values() for each in _beside(unit)} - known
        # One that systemd calls by another name has been asked for already.
        due -= {each for each in due if each in found}
    # A socket does not open while its service runs, and a client would start that again before its socket closes.
    units = tuple(sorted(found.values(), key=lambda unit: (not unit.is_trigger, unit.name)))
    bus, bus_enabled = _on_the_bus(units)
    return Closure(units, _needed(found), bus, bus_enabled)


def show(names: Iterable[str]) -> dict[str, Unit]:
    """The units of these names and patterns, by what systemd calls them. Raises Unreadable."""
    options = ("--no-pager", f"--property={','.join(_PROPERTIES)}", "--")
    done = limits.run(["systemctl", "show", *options, *sorted(names)], _SECONDS)
    if done.status != 0 and not done.out.strip():
        raise Unreadable(f"systemctl show: {done.err.strip() or f'exit code {done.status}'}")
    units = (_unit(block) for block in done.out.split("\n\n") if block.strip())
    return {unit.name: unit for unit in units}


def _unit(block: str) -> Unit:
    values: dict[str, list[str]] = {}
    for line in block.splitlines():
        name, _equals, value = line.partition("=")
        values.setdefault(name, []).append(value)

    def words(name: str) -> tuple[str, ...]:
        return tuple(sorted(values.get(name, [""])[0].split()))

    def text(name: str) -> str:
        return values.get(name, [""])[0]

    return Unit(
        text("Id"),
        words("Names"),
        text("LoadState"),
        text("ActiveState") in ("active", "activating", "reloading"),
        text("UnitFileState"),
        text("FragmentPath"),
        words("TriggeredBy"),
        words("Triggers"),
        tuple(sorted({*words("RequiredBy"), *words("BoundBy")})),
        text("Accept") == "yes",
        tuple((each["type"], each["address"]) for each in listens(values.get("Listen", ()))),
    )


def _beside(unit: Unit) -> Iterator[str]:
    """What starts it, and what it starts; of one that starts an instance for each client, all of those."""
    yield from unit.triggered_by
    if unit.is_trigger:
        yield from unit.triggers
        if unit.accepts:
            yield from _instances(unit.name.rpartition(".")[0])


def _instances(stem: str) -> list[str]:
    return sorted(show([f"{stem}@*.service"]))


def _needed(found: Mapping[str, Unit]) -> dict[str, tuple[str, ...]]:
    outside = {each for unit in found.values() for each in unit.needed_by} - set(found)
    active = {name for name, unit in show(outside).items() if unit.active} if outside else set()
    needs = {name: tuple(sorted(active & set(unit.needed_by))) for name, unit in found.items()}
    return {name: units for name, units in needs.items() if units}


def _on_the_bus(units: Iterable[Unit]) -> tuple[dict[str, str], dict[str, str]]:
    """Those that D-Bus starts whether or not they are enabled, and those whose name for that goes with `disable`."""
    names = {name: unit.name for unit in units for name in (*unit.names, unit.name)}
    always: dict[str, str] = {}
    enabled: dict[str, str] = {}
    for folder in _BUS_SERVICES:
        for path in sorted(Path(folder).glob("*.service")):
            lines = dict(line.partition("=")[::2] for line in (reading.text(path) or "").splitlines())
            service = lines.get("SystemdService", "").strip()
            if service in names:
                is_link = Path(_OF_THE_ADMINISTRATOR, service).is_symlink()
                known = enabled if is_link and service != names[service] else always
                known[names[service]] = lines.get("Name", path.stem).strip()
    return always, enabled
