# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No credential passes, and what is none stays readable."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.base import redact


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://registry.example/v2/", "https://registry.example/v2/"),
        ("https://registry.example:5000/v2/", "https://registry.example:5000/v2/"),
        ("http://user:hunter2@proxy.example:3128", "http://proxy.example:3128"),
        ("http://hunter2@proxy.example", "http://proxy.example"),
        ("http://user:hun@ter2@proxy.example/x", "http://proxy.example/x"),
        ("http://user:hun/ter2@proxy.example/x", "http://proxy.example/x"),
        ("http://user:hun#ter2@proxy.example/x", "http://proxy.example/x"),
        ("https://h/p?token=hunter2&x=1#top", "https://h/p?token=(redacted)&x=(redacted)#top"),
        ("https://npm.example/@scope/package", "https://npm.example/@scope/package"),
        ("https://npm.example:8443/@scope/package", "https://npm.example:8443/@scope/package"),
        ("a http://u:hunter2@h/ and http://u:hunter2@i/", "a http://h/ and http://i/"),
        ("unix:///run/docker.sock", "unix:///run/docker.sock"),
        ("fd://", "fd://"),
        ("user@host", "user@host"),
        ("https://a:b://c:hunter2@h", "https://h"),
        ("x://u:hunter2@a://v:hunter2@b/y@z", "x://a://b/y@z"),
        ("h?a?token=hunter2 https://h/?a?b=hunter2&c", "h?a?token=(redacted) https://h/?a?b=(redacted)&c"),
        ("", ""),
    ],
)
def test_url(given: str, kept: str) -> None:
    assert redact.url(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            {"splunk-token": "hunter2", "splunk-url": "https://h"},
            {"splunk-token": "(redacted)", "splunk-url": "https://h"},
        ),
        (
            {"log-opts": {"awslogs-credentials-endpoint": "/x"}},
            {"log-opts": {"awslogs-credentials-endpoint": "(redacted)"}},
        ),
        ({"registry-mirrors": ["https://u:hunter2@m"]}, {"registry-mirrors": ["https://m"]}),
        ({"secrets": ["hunter2", "hunter2"]}, {"secrets": ["(redacted)", "(redacted)"]}),
        (
            {"o": "addr=h,username=u,password=hunter2,vers=3"},
            {"o": "addr=h,username=u,password=(redacted),vers=3"},
        ),
        ({"o": "password=hun,,ter2,vers=3"}, {"o": "password=(redacted),vers=3"}),
        ({"o": "pass=hunter2"}, {"o": "pass=(redacted)"}),
        ({"o": "a=password=hunter2,b"}, {"o": "a=password=(redacted),b"}),
        # S15: what a client's configuration holds.
        (
            {
                "auths": {"registry.example": {"auth": "hunter2", "email": "hunter2"}, "n": 1},
                "auth": "hunter2",
            },
            {
                "auths": {"registry.example": {"auth": "(redacted)", "email": "(redacted)"}, "n": 1},
                "auth": "(redacted)",
            },
        ),
        (
            {"identitytoken": "hunter2", "registrytoken": ["hunter2"]},
            {"identitytoken": "(redacted)", "registrytoken": ["(redacted)"]},
        ),
        ({"secrets": {"db": {"x": "hunter2"}}}, {"secrets": {"db": {"x": "(redacted)"}}}),
        ({"http://u:hunter2@h": "x", "password=hunter2": 1}, {"http://h": "x", "password=(redacted)": 1}),
        # Section 3: without a scheme.
        (
            {"insecure-registries": ["u:hunter2@h:5000", "h:5000"]},
            {"insecure-registries": ["h:5000", "h:5000"]},
        ),
        (
            {"x": "i:1.0@sha256:0123", "y": "r.example:5000/i:1@sha256:0123"},
            {"x": "i:1.0@sha256:0123", "y": "r.example:5000/i:1@sha256:0123"},
        ),
        (
            {"Authorization": ["plugin"], "authorization-plugins": ["p"]},
            {"Authorization": ["plugin"], "authorization-plugins": ["p"]},
        ),
        ({"o": "addr=10.0.0.1,rw,nfsvers=4"}, {"o": "addr=10.0.0.1,rw,nfsvers=4"}),
        (
            {"tlskey": "/etc/docker/key.pem", "tlsverify": True},
            {"tlskey": "/etc/docker/key.pem", "tlsverify": True},
        ),
        ({"live-restore": False, "max": 3, "x": None}, {"live-restore": False, "max": 3, "x": None}),
        ({"password": ""}, {"password": ""}),
        ({1: [("a",)]}, {"1": [["a"]]}),
    ],
)
def test_options(given: Any, kept: Any) -> None:
    assert redact.options(given) == kept


def test_secrets() -> None:
    found = redact.secrets(
        {
            "log-opts": {"splunk-token": "hunter2", "tag": "x"},
            "registry-mirrors": ["https://u:hunter2@m", "https://n"],
            "labels": ("password=hunter2", "a=b"),
            "password": 1,
        }
    )
    assert found == {"hunter2", "https://u:hunter2@m", "password=hunter2"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["dockerd", "-H", "fd://"], ["dockerd", "-H", "fd://"]),
        (["dockerd", "--tlskey", "/etc/key.pem"], ["dockerd", "--tlskey", "/etc/key.pem"]),
        (["dockerd", "--authorization-plugin=x"], ["dockerd", "--authorization-plugin=x"]),
        (
            ["dockerd", "--log-opt", "splunk-token=hunter2"],
            ["dockerd", "--log-opt", "splunk-token=(redacted)"],
        ),
        (["x", "--password=hunter2"], ["x", "--password=(redacted)"]),
        (["x", "--insecure-registry=u:hunter2@h", "u:hunter2@h"], ["x", "--insecure-registry=h", "h"]),
        (
            ["x", "--client-cert-auth=true", "--auth", "hunter2"],
            ["x", "--client-cert-auth=true", "--auth", "hunter2"],
        ),
        (["x", "--password", "hunter2", "y"], ["x", "--password", "(redacted)", "y"]),
        (["x", "--secret", "--flag"], ["x", "--secret", "--flag"]),
        (["x", "--proxy", "http://u:hunter2@h"], ["x", "--proxy", "http://h"]),
        ([], []),
    ],
)
def test_words(given: list[str], kept: list[str]) -> None:
    assert redact.words(given) == kept


def test_a_word_is_redacted_before_it_is_cut() -> None:
    long = "hunter2" * 1000
    assert redact.words(["etcd", f"https://user:{long}@h"]) == ["etcd", "https://h"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("short u:p@h", "short u:p@h"),
        ("a b " + "x" * 50, "a b xxxxxxxxxxxxxxxx(cut)"),
        ("a b https://user:hunter2hunter2@h", "a b https(cut)"),
        ("a password=hunter2hunter2hunter2", "a password(cut)"),
        ("user:hunter2hunter2hunter2@host", "user(cut)"),
        (" " * 50, " " * 20 + "(cut)"),
    ],
)
def test_a_text_is_cut_without_the_beginning_of_a_credential(given: str, kept: str) -> None:
    assert redact.cut(given, 20) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--token", "hunter2", "--debug"], ["--token", "(redacted)", "--debug"]),
        (["--token", ""], ["--token", ""]),
        (["u:s/hunter2@x", "h:5000/a@b", "h:5000", "vol:/a@b"], ["x", "h:5000/a@b", "h:5000", "vol:/a@b"]),
        (["i:t@sha256:ab", "i:t/x@sha256:ab"], ["i:t@sha256:ab", "i:t/x@sha256:ab"]),
    ],
)
def test_a_list_of_texts_is_a_command_line(given: list[str], kept: list[str]) -> None:
    assert redact.options({"runtimes": {"r": {"runtimeArgs": given}}})["runtimes"]["r"]["runtimeArgs"] == kept
    hidden = {each for each, left in zip(given, kept) if each != left}
    assert redact.secrets({"runtimeArgs": given}) == hidden


def test_a_value_without_an_end_takes_no_memory_of_its_own() -> None:
    tracemalloc.start()
    try:
        for value in ("a" * 2_000_000, "," * 2_000_000):
            assert redact.options({"o": f"x,password={value}"})["o"] == "x,password=(redacted)"
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_long_command_lines_are_cut() -> None:
    """S7: a process called etcd with one argument of 100,000 letters."""
    assert redact.words(["etcd", "a" * 100_000, "x"]) == ["etcd", "a" * 4096 + "(cut)", "(cut)"]
    assert redact.words(["b"] * 100_000)[-2:] == ["b", "(cut)"]
    assert len(redact.words(["b"] * 100_000)) < 20_000


def test_environment() -> None:
    variables = ["B=hunter2", "A=x=y", "DOCKER_HOST=tcp://u:hunter2@h:2375", "DOCKER_TLS_CERTDIR=", "LONE"]
    names, kept = redact.environment(variables)
    assert names == ["A", "B", "DOCKER_HOST", "DOCKER_TLS_CERTDIR", "LONE"]
    assert kept == {"DOCKER_HOST": "tcp://h:2375", "DOCKER_TLS_CERTDIR": ""}
    assert redact.environment(None) == ([], {})


def test_labels() -> None:
    names, kept = redact.labels(
        {
            "maintainer": "hunter2",
            "env": "prod",
            "bulwark.capabilities": "NET_ADMIN",
            "com.docker.compose.project": "shop",
            "RUN": "docker run --privileged -e PASSWORD=hunter2 --cap-add=ALL --pid host -v hunter2 IMAGE",
        }
    )
    assert names == ["RUN", "bulwark.capabilities", "com.docker.compose.project", "env", "maintainer"]
    assert kept == {
        "env": "prod",
        "bulwark.capabilities": "NET_ADMIN",
        "com.docker.compose.project": "shop",
        "RUN": "--privileged --cap-add=ALL --pid host",
    }
    assert "hunter2" not in json.dumps(kept)
    assert redact.labels(None) == ([], {})
