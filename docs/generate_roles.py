# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the README.md of each role from its argument specs: `make docs`. A unit test fails when one is stale."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from antsibull_docs_parser.dom import PartType
from antsibull_docs_parser.parser import Context, parse

ROOT = Path(__file__).parents[1]
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))

HEAD = """\
<!--
SPDX-FileCopyrightText: 2026 Bulwark contributors
SPDX-License-Identifier: GPL-3.0-or-later

Written by `make docs` from meta/argument_specs.yml and defaults/main.yml; do not edit.
-->
"""


def target(role: str) -> Path:
    """Where the page of a role goes."""
    return ROOT / "roles" / role / "README.md"


def specs(role: str) -> dict[str, Any]:
    """{entry point: its argument spec}, `main` first."""
    found: dict[str, Any] = _read(role, "meta/argument_specs.yml")["argument_specs"]
    return found


def defaults(role: str) -> dict[str, Any]:
    """{variable: its default}, some of which are expressions."""
    found: dict[str, Any] = _read(role, "defaults/main.yml")
    return found


def _read(role: str, file: str) -> Any:
    return yaml.safe_load((ROOT / "roles" / role / file).read_text(encoding="utf-8"))


def page(role: str) -> str:
    """The whole page."""
    main, *others = specs(role).items()
    parts = [HEAD, f"# bulwark.docker.{role}\n", *_entry_point(role, main[1], {}, "##")]
    for entry, spec in others:
        parts += [f"## Entry point `{entry}`\n", *_entry_point(role, spec, main[1]["options"], "###")]
    return "\n".join(parts)


def _entry_point(role: str, spec: Mapping[str, Any], known: Mapping[str, Any], level: str) -> Iterator[str]:
    yield f"{markdown(spec['short_description'])}.\n"
    yield from _description(spec)
    if "examples" in spec:
        yield f"{level} Example\n"
        yield f"```yaml\n{spec['examples'].strip()}\n```\n"
    yield f"{level} Variables\n"
    options = spec["options"]
    same = [name for name in options if options[name] == known.get(name)]
    if same:
        yield f"As above: {', '.join(f'`{name}`' for name in same)}.\n"
    yield from _options({name: options[name] for name in options if name not in same}, defaults(role), "")


def _options(options: Mapping[str, Any], computed: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, option in options.items():
        yield f"{indent}- `{name}` ({', '.join(_facts(option, name in computed))})\n"
        yield from (f"{indent}  {each}" for each in _description(option))
        yield from _options(option.get("options", {}), {}, f"{indent}  ")


def _facts(option: Mapping[str, Any], computed: bool) -> Iterator[str]:
    yield f"{option['type']} of {option['elements']}" if "elements" in option else option["type"]
    if option.get("required"):
        yield "required"
    if "choices" in option:
        yield f"one of {', '.join(map(_value, option['choices']))}"
    if "default" in option:
        yield f"default {_value(option['default'])}"
    elif computed:
        yield "default in [defaults/main.yml](defaults/main.yml)"


def _description(documented: Mapping[str, Any]) -> Iterator[str]:
    text = documented["description"]
    for paragraph in [text] if isinstance(text, str) else text:
        yield f"{markdown(paragraph)}\n"


def _value(value: Any) -> str:
    return f"`{value}`" if value and isinstance(value, str) else f"`{json.dumps(value)}`"


def markdown(text: str) -> str:
    """A paragraph with Ansible's markup as Markdown."""
    return "".join(_MARKDOWN[part.type](part) for part in parse(text, Context(), errors="exception")[0])


def _text(part: Any) -> str:
    return re.sub(r"([\\`*<\[])", r"\\\1", part.text)


def _code(part: Any) -> str:
    """A file of this repository becomes a link; pages of roles lie two directories deep."""
    return f"[{part.text}](../../{part.text})" if part.text.startswith("docs/") else f"`{part.text}`"


def _option(part: Any) -> str:
    value = "" if part.value is None else f"={part.value}"
    of = "" if part.plugin is None else f" of `{part.plugin.fqcn}`"
    return f"`{part.name}{value}`{of}"


def _plugin(part: Any) -> str:
    name = part.plugin.fqcn
    return f"[{name}](../{name.split('.')[-1]}/README.md)" if part.plugin.type == "role" else f"`{name}`"


# What the specs use. Other markup ends the program.
_MARKDOWN: dict[PartType, Callable[[Any], str]] = {
    PartType.TEXT: _text,
    PartType.CODE: _code,
    PartType.MODULE: lambda part: f"`{part.fqcn}`",
    PartType.OPTION_NAME: _option,
    PartType.OPTION_VALUE: lambda part: f"`{part.value}`",
    PartType.RETURN_VALUE: _option,
    PartType.PLUGIN: _plugin,
}


if __name__ == "__main__":
    for each in ROLES:
        target(each).write_text(page(each), encoding="utf-8")
