# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of the host: contexts, DOCKER_HOST, and their keys and certificates."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.host import clients

from tests.unit.builders.daemon import certificate, client, file, said, snapshot
from tests.unit.builders.judging import changed, finding

FOLDER = "/home/alice/.docker/contexts/tls/1f/docker"
DEFAULT = "/home/alice/.docker"


def context(**changes):
    return changed(client()["contexts"][0], changes)


def variables(**values):
    return client(
        environment={name: {"value": value, "file": "/home/alice/.bashrc"} for name, value in values.items()}
    )


def judged(control, host, verdict, text=""):
    found = finding(control, host)
    assert found["verdict"] == verdict
    assert text in said(found)


@pytest.mark.parametrize(
    ("entry", "verdict", "text"),
    [
        (client(), "pass", ""),
        (client(contexts=[context(skip_tls_verify=True)]), "fail", "context remote"),
        (client(contexts=[context(certificate=None)]), "fail", "tcp://docker.example:2376"),
        (client(contexts=[context(host="unix:///run/docker.sock", certificate=None)]), "pass", ""),
        (client(contexts=[context(host="ssh://docker.example", certificate=None)]), "pass", ""),
        (variables(DOCKER_HOST="tcp://192.0.2.9:2375"), "fail", "/home/alice/.bashrc"),
        (variables(DOCKER_HOST="tcp://192.0.2.9:2376", DOCKER_TLS_VERIFY="1"), "pass", ""),
        (variables(DOCKER_HOST="tcp://192.0.2.9:2376", DOCKER_TLS_VERIFY=""), "fail", ""),
        (variables(DOCKER_HOST="unix:///run/user/1000/docker.sock"), "pass", ""),
        (client(contexts={"error": "no permission"}), "unknown", "no permission"),
        (client(environment={"error": "no permission"}), "unknown", "no permission"),
    ],
)
def test_clients_verify_the_server(entry, verdict, text):
    judged(clients.endpoint_verified, {**snapshot(), "clients": [entry]}, verdict, text)


def test_a_variable_for_everybody_counts():
    everybody = {
        **variables(DOCKER_HOST="tcp://192.0.2.9:2375"),
        "user": None,
        "uid": None,
        "home": None,
        "contexts": [],
    }
    host = {**snapshot(), "clients": [everybody]}
    judged(clients.endpoint_verified, host, "fail", "everybody")
    judged(clients.key_private, host, "pass")


@pytest.mark.parametrize(
    ("files", "verdict", "text"),
    [
        ({}, "pass", ""),
        ({f"{FOLDER}/key.pem": file(uid=1000, mode="0640")}, "fail", "mode 0640"),
        ({f"{FOLDER}/key.pem": file(uid=0, mode="0400")}, "pass", ""),
        ({f"{FOLDER}/key.pem": file(uid=1001, owner="bob", mode="0600")}, "fail", "owner bob"),
        ({f"{FOLDER}/ca.pem": file(uid=1000, mode="0666")}, "fail", "0644 or stricter"),
        ({f"{DEFAULT}/key.pem": file(uid=1000, mode="0644")}, "fail", f"{DEFAULT}/key.pem"),
        ({f"{DEFAULT}/key.pem": None}, "pass", ""),
        ({f"{FOLDER}/key.pem": {"error": "no permission"}}, "unknown", "no permission"),
    ],
)
def test_client_keys_are_private(files, verdict, text):
    judged(clients.key_private, snapshot(files=files), verdict, text)


def test_the_directory_of_a_variable_counts():
    host = snapshot(files={"/srv/certs/key.pem": file(uid=1000, mode="0644")})
    host["clients"] = [variables(DOCKER_CERT_PATH="/srv/certs")]
    judged(clients.key_private, host, "fail", "/srv/certs/key.pem")


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "pass", ""),
        ({"eku": ["serverAuth"]}, "fail", "serverAuth"),
        ({"eku": None}, "fail", "any purpose"),
        ({"signed_by": []}, "fail", "not signed by the CA"),
    ],
)
def test_client_certificates_are_for_clients(changes, verdict, text):
    signed = {"eku": ["clientAuth"], "signed_by": [f"{FOLDER}/ca.pem"]}
    held = [certificate(**{**signed, **changes})]
    judged(clients.certificate_purpose, snapshot(certificates={f"{FOLDER}/cert.pem": held}), verdict, text)


@pytest.mark.parametrize("name", ["cert.pem", "ca.pem"])
def test_certificates_that_cannot_be_read_are_unknown(name):
    host = snapshot(certificates={f"{FOLDER}/{name}": {"error": "no permission"}})
    judged(clients.certificate_purpose, host, "unknown", "no permission")


def test_a_client_that_cannot_be_read_hides_no_other():
    entries = [
        client(user="bob", contexts={"error": "no permission"}),
        client(contexts=[context(skip_tls_verify=True)]),
    ]
    judged(clients.endpoint_verified, {**snapshot(), "clients": entries}, "fail", "context remote")
