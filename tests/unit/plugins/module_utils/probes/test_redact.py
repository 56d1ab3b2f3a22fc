# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No credential passes, and what is none stays readable."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes import redact


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
        (["x", "--password", "hunter2", "y"], ["x", "--password", "(redacted)", "y"]),
        (["x", "--secret", "--flag"], ["x", "--secret", "--flag"]),
        (["x", "--proxy", "http://u:hunter2@h"], ["x", "--proxy", "http://h"]),
        ([], []),
    ],
)
def test_words(given: list[str], kept: list[str]) -> None:
    assert redact.words(given) == kept


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
