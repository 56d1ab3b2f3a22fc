# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json: what dockerd 20.10.24 and 26.1.5 were seen to make of such files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.daemon_json import parse


@pytest.mark.parametrize(
    ("content", "settings"),
    [
        (b"{}", {}),
        (b"null", {}),
        (b' \n{"debug": true}\n ', {"debug": True}),
        (b'{"dns": ["192.0.2.1", "192.0.2.2"], "log-opts": {"max-size": "1m"}, "mtu": 1400}',
         {"dns": ["192.0.2.1", "192.0.2.2"], "log-opts": {"max-size": "1m"}, "mtu": 1400}),
        (b'{"data-root": "/srv/\xff"}', {"data-root": "/srv/\ufffd"}),
        (rb'{"data-root": "/srv/\ud800"}', {"data-root": "/srv/\ufffd"}),
        (rb'{"labels": ["NaN: -Infinity", "say \"debug\": {"], "icc": false}',
         {"labels": ["NaN: -Infinity", 'say "debug": {'], "icc": False}),
        # The same key in different objects, and keys that differ in case.
        (b'{"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 2}], "C": 1}',
         {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 2}], "C": 1}),
    ],
)  # fmt: skip
def test_sound_files(content: bytes, settings: dict[str, Any]) -> None:
    assert parse(content) == {"settings": settings, "problems": []}


@pytest.mark.parametrize(
    ("content", "settings", "kind", "line", "column"),
    [
        (b"", {}, "empty", 1, 1),
        (b" \n\t ", {}, "empty", 1, 1),
        (b'\xef\xbb\xbf{"icc": false}', {"icc": False}, "bom", 1, 1),
        (b'{"icc": false}\n garbage', {"icc": False}, "trailing", 2, 2),
        (b'{"icc": false} {"icc": true}', {"icc": False}, "trailing", 1, 16),
        (b'{"icc": false,\n "icc": true}', {"icc": True}, "duplicate_key", 2, 2),
        (b'{"icc": false,\n "\\u0069cc": true}', {"icc": True}, "duplicate_key", 2, 2),
        (b'{"log-opts": {"tag": "a", "tag": "b"}}', {"log-opts": {"tag": "b"}}, "duplicate_key", 1, 27),
        (b'{"x": [{"k": 1, "k": 2}]}', {"x": [{"k": 2}]}, "duplicate_key", 1, 17),
        (b'{\n  // why\n  "icc": false}', None, "syntax", 2, 3),
        (b'{"icc": false,\n  # why\n  "debug": true}', None, "syntax", 2, 3),
        (b'{"icc": /* why */ false}', None, "syntax", 1, 9),
        (b'{\n  "icc": false,\n}', None, "syntax", 2, 15),
        (b'{"dns": ["192.0.2.1", ]}', None, "syntax", 1, 21),
        (b'{"icc": false', None, "syntax", 1, 14),
        (b"{'icc': false}", None, "syntax", 1, 2),
        (b'{"icc": False}', None, "syntax", 1, 9),
        (b'{"icc" false}', None, "syntax", 1, 8),
        (b'{"mtu": 01}', None, "syntax", 1, 10),
        (b'{"labels": ["NaN"], "mtu": NaN}', None, "syntax", 1, 28),
        (b'{"labels": ["a\nb"]}', None, "syntax", 1, 15),
        (b'{"labels": ["\\x"]}', None, "syntax", 1, 14),
        (b"[" * 100000, None, "syntax", 1, 1),
        # Section 3 of the review: it passed the decoder, and ended in a RecursionError.
        (b'{"a":' * 900 + b"1" + b"}" * 900, None, "syntax", 1, 1),
        (b'{"mtu": 1e999}', None, "syntax", 1, 1),
        (b'{"mtu": ' + b"1" * 5000 + b"}", None, "syntax", 1, 1),
        (b'{"mtu": ' + b"1" * 5000 + b"x}", None, "syntax", 1, 1),
        ('{"icc": false}'.encode("utf-16"), None, "syntax", 1, 1),
        (b"[]", None, "not_object", 1, 1),
        (b'\n "text"', None, "not_object", 2, 2),
        (b"true", None, "not_object", 1, 1),
    ],
)
def test_one_problem(content: bytes, settings: Any, kind: str, line: int, column: int) -> None:
    parsed = parse(content)
    (problem,) = parsed["problems"]
    assert (parsed["settings"], problem["kind"]) == (settings, kind)
    assert (problem["line"], problem["column"]) == (line, column)
    assert problem["message"]


def test_problems_add_up() -> None:
    parsed = parse(b'\xef\xbb\xbf{"icc": false, "icc": true}}')
    assert [problem["kind"] for problem in parsed["problems"]] == ["bom", "duplicate_key", "trailing"]
    assert parsed["settings"] == {"icc": True}


def test_no_value_of_the_file_enters_a_message() -> None:
    parsed = parse(b'{"http-proxy": "http://user:s3cret@proxy.example" "x"}')
    assert parsed["settings"] is None
    assert "s3cret" not in json.dumps(parsed)


def test_many_duplicate_keys_are_not_all_told() -> None:
    """S7: each of them was looked for from the beginning of the file."""
    found = parse(b"{" + b'"a": 1,\n' * 200_000 + b'"b": 1}')
    assert found["settings"] == {"a": 1, "b": 1}
    assert [problem["line"] for problem in found["problems"]] == list(range(2, 22))
