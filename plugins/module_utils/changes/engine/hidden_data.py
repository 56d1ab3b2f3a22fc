# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine has that another one, or the same with another data root, does not see. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read

_OWN_NETWORKS = ("bridge", "host", "none", "docker_gwbridge")
# kind: (key of /system/df up to API 1.51, key since 1.52, where an item has its size)
USAGE: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "images": ("Images", "ImageUsage", ("Size",)),
    "containers": ("Containers", "ContainerUsage", ("SizeRw",)),
    "volumes": ("Volumes", "VolumeUsage", ("UsageData", "Size")),
    "build_cache": ("BuildCache", "BuildCacheUsage", ("Size",)),
}
_KINDS = {
    "images": ("image", "images"),
    "containers": ("container", "containers"),
    "volumes": ("volume", "volumes"),
    "networks": ("network", "networks"),
    "plugins": ("plugin", "plugins"),
    "build_cache": ("entry of the build cache", "entries of the build cache"),
}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")

Engine = Mapping[str, Any]


def hidden(engine: Engine, df: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """{kind: {count, size in bytes or None, names}}; `df` is the answer of /system/df, None where there is none."""
    networks = [one for one in read(engine, "networks") if one["name"] not in _OWN_NETWORKS]
    names: dict[str, list[str]] = {
        "images": _image_names(engine),
        "containers": [name_of(one) for one in read(engine, "containers")],
        "volumes": [one["name"] for one in read(engine, "volumes")],
        # Those of a swarm are its managers' business.
        "networks": [one["name"] for one in networks if one["scope"] == "local"],
        "plugins": [one["name"] for one in read(engine, "plugins")],
        "build_cache": [],
    }
    # Only those with a tag or a container are in a snapshot.
    least = {kind: len(known) for kind, known in names.items()}
    least["images"] = max(least["images"], read(engine, "info").get("Images") or 0)
    found = {}
    for kind, known in names.items():
        count, size = _used(kind, df) if kind in USAGE else (0, None)
        found[kind] = {"count": max(count, least[kind]), "size": size, "names": sorted(map(str, known))}
    return found


def _image_names(engine: Engine) -> list[str]:
    try:
        return [(one["tags"] or [one["id"]])[0] for one in read(engine, "images")]
    except Unread:
        return []


def _used(kind: str, df: Mapping[str, Any] | None) -> tuple[int, int | None]:
    """(count, bytes) as /system/df has it; bytes None where it does not tell (a volume's -1 is such a word)."""
    if df is None:
        return 0, None
    former, since, path = USAGE[kind]
    if former not in df:
        usage = df.get(since)
        return (0, None) if usage is None else (usage.get("TotalCount", 0), usage.get("TotalSize", 0))
    # 1.52 has both; a volume of unknown size is seen in the items alone.
    items = df[former] or []
    if kind == "images":
        # Images share layers.
        return len(items), df.get("LayersSize", 0)
    sizes = [_at(item, path) for item in items]
    return len(items), None if any(size < 0 for size in sizes) else sum(sizes)


def _at(item: Any, path: Iterable[str]) -> int:
    for key in path:
        item = (item or {}).get(key)
    # A field of 0 is left out.
    return item or 0


def amounts(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of each kind that there is: "2 images (1.2 GB)"."""
    return [_amount(kind, found[kind]) for kind in _KINDS if found[kind]["count"]]


def _amount(kind: str, part: Mapping[str, Any]) -> str:
    one, many = _KINDS[kind]
    size = "" if part["size"] is None else f" ({human(part['size'])})"
    return f"{part['count']} {one if part['count'] == 1 else many}{size}"


def name_of(container: Mapping[str, Any]) -> str:
    """Its name, or the beginning of its id where it has none."""
    return str(container["name"] or container["id"][:12])


def human(size: int) -> str:
    """Bytes as the docker client shows them, by thousands: "1.2 GB"."""
    value, unit = float(size), 0
    while value >= 999.95 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
