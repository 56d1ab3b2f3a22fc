# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of daemon.json: what is read and refused, and that only what changed differs. Numbers: remediation.md."""

from __future__ import annotations

import json

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd.daemon_json import (
    Document,
    Unsound,
    read,
    render,
    shown,
)

PATH = "/etc/docker/daemon.json"
FOREIGN = b"""{
    "hosts": ["fd://", "tcp://10.0.0.1:2376"],
    "log-opts": {"max-size":"10m",
                 "tag": "\xc3\xbc\\u00e9"},
    "debug": false,
    "nobody-knows": [1, 2.50, {"deep": null}]
}
"""


def document(content: bytes | None, force: bool = False) -> Document:
    return read(PATH, content, force)


def rewritten(content: bytes | None, force: bool = False, **settings: object) -> bytes | None:
    found = document(content, force)
    return render(found, {**found.settings, **settings})


def test_case_01_a_missing_file_is_made_with_two_spaces_and_a_newline():
    assert not document(None).existed
    assert rewritten(None) is None
    assert rewritten(None, debug=True, dns=["1.1.1.1"]) == (
        b'{\n  "debug": true,\n  "dns": [\n    "1.1.1.1"\n  ]\n}\n'
    )


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n", b"\xef\xbb\xbf"])
def test_case_02_and_03_an_empty_file_is_repaired(content):
    assert rewritten(content) == b"{}\n"
    assert rewritten(content, icc=False) == b'{\n  "icc": false\n}\n'
    assert any("is empty" in notice for notice in document(content).notices)


def test_null_is_no_setting_at_all():
    assert document(b"null\n").settings == {}
    assert rewritten(b"null\n") == b"null\n"
    assert rewritten(b"null\n", icc=False) == b'{\n  "icc": false\n}\n'


def test_case_05_a_byte_order_mark_is_taken_out():
    assert rewritten(b'\xef\xbb\xbf{"debug": true}') == b'{"debug": true}'
    assert document(b'\xef\xbb\xbf{"debug": true}').notices == (f"{PATH}: the byte order mark is taken out",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            b'{\n  // no\n  "debug": true\n}', ":2:3: a comment; JSON has none", id="case 6: comment"
        ),
        pytest.param(
            b'{\n  "debug": true,\n}', ":2:16: a comma before the closing }", id="case 7: trailing comma"
        ),
        pytest.param(b'{"debug": True}', ":1:11: ", id="syntax"),
        pytest.param(b'\n["debug"]', ":2:1: not an object", id="case 10: top-level array"),
        pytest.param(b'{"debug": true}\n}', ":2:1: something follows after the object", id="trailing"),
        pytest.param(b'{"a": "b\xff"}', ":1:9: a byte that is not UTF-8", id="not UTF-8"),
        pytest.param(b"\xff\xfe{\x00}\x00", ":1:1: a byte that is not UTF-8", id="UTF-16"),
        pytest.param(b'{"mtu": 1e999}', "1:1: too deep, or a number too large for dockerd", id="infinite"),
        pytest.param(b'{"a": ' + b"[" * 5000, "too deep", id="too deep"),
    ],
)
def test_what_cannot_be_edited_safely_is_refused_with_its_place(content, said):
    with pytest.raises(Unsound) as refusal:
        document(content)
    assert str(refusal.value).startswith(PATH)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_case_09_duplicate_keys_are_refused_each_with_its_place_and_kept_once_by_force():
    content = b'{\n  "debug": true,\n  "debug": false,\n  "log-opts": {"tag": "a", "tag": "b"}\n}\n'
    with pytest.raises(Unsound) as refusal:
        document(content)
    assert str(refusal.value) == (
        f"{PATH}:3:3: the key 'debug' is given more than once, {PATH}:4:28: the key 'tag' is given more than once: "
        "keep one of each by hand, or set force: the last one counts, and is kept"
    )
    assert json.loads(rewritten(content, force=True) or b"") == {"debug": False, "log-opts": {"tag": "b"}}
    assert (rewritten(content, force=True) or b"").count(b'"debug"') == 1
    assert len(document(content, force=True).notices) == 2
    again = rewritten(content, force=True)
    assert document(again).notices == () and rewritten(again) == again


def test_what_follows_after_the_object_goes_by_force():
    assert rewritten(b'{"debug": true} garbage\n', force=True) == b'{"debug": true}\n'


def test_force_does_not_help_where_the_settings_are_not_known():
    with pytest.raises(Unsound):
        document(b'{"debug": true,}', force=True)


@pytest.mark.parametrize("settings", [{}, {"debug": False}, {"hosts": ["tcp://10.0.0.1:2376", "fd://"]}])
def test_a_file_that_means_the_same_keeps_its_bytes(settings):
    assert rewritten(FOREIGN, **settings) == FOREIGN


@pytest.mark.parametrize(
    ("old", "new", "settings"),
    [
        (b'"debug": false', b'"debug": true', {"debug": True}),
        (
            b'10.0.0.1:2376"],',
            b'10.0.0.1:2376", "unix://"],',
            {"hosts": ["fd://", "tcp://10.0.0.1:2376", "unix://"]},
        ),
        (b"null}]\n", b'null}],\n    "icc": false\n', {"icc": False}),
        (
            b'{"max-size":"10m",\n                 "tag": "\xc3\xbc\\u00e9"}',
            b'{\n        "tag": "\xc3\xbc"\n    }',
            {"log-opts": {"tag": "\u00fc"}},
        ),
    ],
)
def test_only_the_key_that_changed_differs(old, new, settings):
    assert rewritten(FOREIGN, **settings) == FOREIGN.replace(old, new)


def test_a_key_that_goes_takes_its_line():
    found = document(FOREIGN)
    rest = {key: value for key, value in found.settings.items() if key != "debug"}
    assert render(found, rest) == FOREIGN.replace(b'    "debug": false,\n', b"")
    assert render(found, {}) == b"{}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"icc":true}', b'{"icc":false,"dns":["a"]}'),
        (b'{"icc": true}\n', b'{"icc": false, "dns": ["a"]}\n'),
        (b'{\n\t"icc": true\n}', b'{\n\t"icc": false,\n\t"dns": [\n\t\t"a"\n\t]\n}'),
        (b'{\r\n  "icc" : true\r\n}\r\n', b'{\r\n  "icc": false,\r\n  "dns": [\r\n    "a"\r\n  ]\r\n}\r\n'),
        (b"{}", b'{\n  "icc": false,\n  "dns": [\n    "a"\n  ]\n}'),
    ],
)
def test_the_layout_of_the_file_is_kept(before, after):
    assert rewritten(before, icc=False, dns=["a"]) == after
    assert rewritten(after, icc=False, dns=["a"]) == after


def test_an_empty_list_that_goes_is_written_since_a_flag_may_be_in_conflict_with_it():
    assert render(document(b'{"hosts": []}'), {}) == b"{}"


def test_a_diff_shows_no_credential():
    content = (
        b'{\n  "debug": false,\n  "registry-mirrors": ["https://me:geheim@mirror.example"],\n'
        b'  "log-opts": {"splunk-token": "geheim"}\n}\n'
    )
    found = document(content)
    before, after = shown(found.settings, found), shown({**found.settings, "debug": True}, found)
    assert "geheim" not in before + after
    assert after == before.replace('"debug": false', '"debug": true') != before


def test_a_diff_without_credentials_is_the_text_itself():
    assert shown(document(FOREIGN).settings, document(FOREIGN)) == FOREIGN.decode()
    assert shown({}, document(None)) == ""
    twice = document(b'{"splunk-token": "geheim", "splunk-token": "b"}', force=True)
    assert "geheim" not in shown(twice.settings, twice)
