# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of images: by configuration, build history and, where it was asked for, content."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import images as controls
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import Control

from tests.unit.builders.containers import holding, host_with, image
from tests.unit.builders.judging import finding

BASE = {"instruction": "ADD", "words": ["file:0123", "in", "/"], "names": []}


def built(*steps):
    history = [{"instruction": kind, "words": words.split(), "names": []} for kind, words in steps]
    return image(history=[BASE, *history])


def verdict(control, *images, **parameters):
    found = finding(control, holding(images=images), **parameters)
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    ("control", "one", "expected"),
    [
        (controls.user, image(config={"user": ""}), "not set"),
        (controls.user, image(config={"user": "root:root"}), "root"),
        (controls.user, image(config={"user": "0:5"}), "0"),
        (controls.user, image(config={"user": "app"}), "pass"),
        (controls.user, image(config={"error": "left out"}), "unknown"),
        (controls.user, image(config={"user": ""}, containers=[]), "pass"),
        (controls.health_check, image(config={"healthcheck": None}), "not set"),
        # R27.
        (controls.health_check, image(config={"healthcheck": "none"}), "NONE"),
        (controls.health_check, image(), "pass"),
        (controls.health_check, image(config={"healthcheck": None}, containers=[]), "not set"),
        (controls.health_check, image(config={"healthcheck": None}, containers=[], tags=[]), "pass"),
        (controls.lone_update, built(("RUN", "apt-get update")), "1 step"),
        (controls.lone_update, built(("RUN", "apk update"), ("RUN", "dnf -y makecache")), "2 steps"),
        (controls.lone_update, built(("RUN", "apt-get update apt-get install -y")), "pass"),
        (controls.lone_update, built(("RUN", "git submodule update")), "pass"),
        (controls.lone_update, image(history={"error": "gone"}), "unknown"),
        (controls.add_instruction, built(("ADD", "app.tar.gz /app")), "app.tar.gz"),
        (controls.add_instruction, built(("COPY", ". /app")), "pass"),
        (controls.add_instruction, image(history=[]), "pass"),
        (controls.secrets, image(config={"env_names": ["PATH", "DB_PASSWORD"]}), "DB_PASSWORD"),
        (controls.secrets, image(config={"label_names": ["deploy.token"]}), "deploy.token"),
        (
            controls.secrets,
            image(history=[{"instruction": "ARG", "words": [], "names": ["NPM_TOKEN"]}]),
            "NPM_TOKEN",
        ),
        (controls.secrets, image(), "pass"),
        (controls.sudo, built(("RUN", "sudo apt-get update"), ("RUN", "sudo make")), "in 2 steps"),
        (controls.sudo, built(("RUN", "apt-get install")), "pass"),
        (controls.system_workdir, built(("WORKDIR", "/etc/nginx")), "/etc/nginx"),
        (controls.system_workdir, built(("WORKDIR", "/usr/bin")), "/usr/bin"),
        (controls.system_workdir, built(("WORKDIR", "/usr/src/app"), ("WORKDIR", "/")), "pass"),
        (controls.ssh_port, image(config={"exposed_ports": ["22/tcp"]}), "22/tcp"),
        (controls.ssh_port, image(config={"exposed_ports": ["2222/tcp"]}), "pass"),
        (controls.privileged_label, image(config={"labels": {"RUN": "--privileged"}}), "RUN"),
        (controls.privileged_label, image(config={"labels": {"INSTALL": "--cap-add=all"}}), "INSTALL"),
        (controls.privileged_label, image(config={"labels": {"RUN": "--cap-add=NET_ADMIN"}}), "pass"),
        (controls.size, image(size=2_500_000_000), "2500 MB, 20 packages"),
        (controls.size, image(content={"packages": 301}), "20 MB, 301 packages"),
        (controls.size, image(content=None), "pass"),
        (controls.tools, image(content={"tools": ["sh", "apt"]}), "apt, sh"),
        (controls.tools, image(), "pass"),
        (controls.setuid_files, image(content={"setuid": ["/usr/bin/su"]}), "/usr/bin/su"),
        (controls.setuid_files, image(), "pass"),
        (controls.file_capabilities, image(content={"file_capabilities": ["/bin/ping"]}), "/bin/ping"),
        (controls.file_capabilities, image(), "pass"),
        (controls.file_capabilities, image(content={"error": "no such layer"}), "unknown"),
    ],
)
def test_verdicts(control, one, expected):
    assert verdict(control, one) == expected


@pytest.mark.parametrize(
    ("control", "one", "parameters"),
    [
        (controls.secrets, image(config={"env_names": ["DB_PASSWORD"]}), {"allow": ["DB_*"]}),
        (controls.size, image(size=2_500_000_000), {"most_megabytes": 3000}),
        (controls.tools, image(content={"tools": ["sh"]}), {"allow": ["sh"]}),
        (controls.setuid_files, image(content={"setuid": ["/usr/bin/su"]}), {"allow": ["/usr/bin/*"]}),
        (
            controls.file_capabilities,
            image(content={"file_capabilities": ["/bin/ping"]}),
            {"allow": ["/bin/ping"]},
        ),
    ],
)
def test_parameters(control, one, parameters):
    assert verdict(control, one) not in ("pass", "unknown")
    assert verdict(control, one, **parameters) == "pass"


@pytest.mark.parametrize(
    "control", [value for value in vars(controls).values() if isinstance(value, Control)]
)
def test_an_image_that_could_not_be_read_never_passes(control):
    unread = {"error": "left out"}
    one = image(config=unread, history=unread, content=unread, size=None)
    assert finding(control, holding(images=[one]))["verdict"] != "pass"


@pytest.mark.parametrize("control", [controls.tools, controls.setuid_files, controls.file_capabilities])
def test_content_that_was_not_asked_for_is_unknown(control):
    assert verdict(control, image(content=None)) == "unknown"
    assert verdict(control, image(), image(id="sha256:" + "2c" * 32, content=None)) == "unknown"
    assert verdict(control) == "pass"


def test_an_image_is_named_as_docker_names_it():
    untagged = image(tags=[], digests=[], config={"user": ""})
    (subject,) = finding(controls.user, holding(images=[untagged]))["subjects"]
    assert (subject["kind"], subject["id"], subject["name"]) == ("image", "1b" * 6, "1b" * 6)


def client(user, **environment):
    variables = {name: {"value": value, "file": "/etc/environment"} for name, value in environment.items()}
    return {
        "user": user,
        "uid": 0,
        "home": "/",
        "current_context": None,
        "contexts": [],
        "environment": variables,
    }


@pytest.mark.parametrize(
    ("clients", "expected"),
    [
        ([], "not set for anyone"),
        ([client("alice"), client("bob", DOCKER_CONTENT_TRUST="1")], "not set for alice"),
        ([client("alice", DOCKER_CONTENT_TRUST="0")], "not set for alice"),
        ([client("bob", DOCKER_CONTENT_TRUST="1")], "pass"),
        ([client("alice"), client(None, DOCKER_CONTENT_TRUST="1")], "pass"),
        ([{**client("alice"), "environment": {"error": "the home was not read"}}], "unknown"),
        ({"error": "the users are not known"}, "unknown"),
    ],
)
def test_content_trust(clients, expected):
    found = finding(controls.content_trust, host_with(clients=clients))
    assert (found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]) == expected
