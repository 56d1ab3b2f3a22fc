# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's TLS: options, CA, key pair, names, purposes and dates."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import tls

from tests.unit.builders.daemon import (
    CA_KEY,
    DAY,
    NOW,
    authority,
    certificate,
    endpoint,
    engine,
    open_endpoint,
    rootless_engine,
    said,
    snapshot,
    stopped_engine,
    with_settings,
)
from tests.unit.builders.judging import finding

CA, CERT, KEY = "/etc/docker/tls/ca.pem", "/etc/docker/tls/cert.pem", "/etc/docker/tls/key.pem"
NO_TLS = with_settings(engine(endpoints=[open_endpoint()]), "tlsverify", "tlscacert", "tlscert", "tlskey")
TLS_ALONE = with_settings(NO_TLS, tls=True)
QUIET = engine(endpoints=[])


def judged(control, host, verdict, text="", **parameters):
    found = finding(control, host, **parameters)
    assert found["verdict"] == verdict
    assert text in said(found)
    return found


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (snapshot(), "pass", ""),
        (snapshot(NO_TLS), "fail", "no TLS"),
        (snapshot({**NO_TLS, "endpoints": []}), "fail", "no TLS"),
        (snapshot(with_settings(engine(), tlsverify=False)), "fail", "tlsverify false"),
        (snapshot(with_settings(engine(), tlsverify=False, tls=True)), "fail", "tlsverify false"),
        # Edge case 66: the same option means client certificates since 20.10, nothing before.
        (snapshot(TLS_ALONE), "pass", "set tlsverify to say so"),
        (snapshot({**TLS_ALONE, "version": {"Version": "19.03.15"}}), "fail", "tls without tlsverify"),
        (snapshot({**TLS_ALONE, "version": {"error": "timed out"}}), "unknown", "timed out"),
        (snapshot(engine(flags={"tlsverify": ["false"]})), "fail", ""),
        (snapshot(rootless_engine()), "not_applicable", "the engine does not listen on TCP"),
        (snapshot(engine(endpoints={"error": "no listeners"})), "unknown", "no listeners"),
    ],
)
def test_the_options_demand_verified_clients(host, verdict, text):
    judged(tls.client_verification, host, verdict, text)


MANY = [f"CN=Public CA {number}" for number in range(140)]


@pytest.mark.parametrize(
    ("running", "verdict", "text"),
    [
        (engine(), "pass", ""),
        # Edge case 67.
        (with_settings(engine(), "tlscacert"), "fail", "the system's store"),
        (with_settings(engine(), tlscacert="/etc/ssl/certs/ca-certificates.crt"), "fail", "/etc/ssl/certs"),
        (engine(endpoints=[endpoint(tls={"ca_names": MANY})]), "fail", "140 CAs"),
        (engine(endpoints=[endpoint(tls={"ca_names": None})]), "pass", ""),
        (engine(endpoints=[endpoint(tls={"ca_names": [], "certificate_requested": True})]), "fail", "any CA"),
        (engine(endpoints=[endpoint(tls={"ca_names": [], "certificate_requested": False})]), "pass", ""),
        (NO_TLS, "not_applicable", "not set to TLS"),
        (engine(config={"settings": {"error": "no permission"}}), "unknown", "no permission"),
    ],
)
def test_clients_are_accepted_from_the_own_ca_alone(running, verdict, text):
    judged(tls.own_ca, snapshot(running), verdict, text)


@pytest.mark.parametrize(
    ("held", "verdict", "text"),
    [
        ([authority()], "pass", ""),
        ([authority(), authority(subject="CN=next CA")], "pass", ""),
        ([authority(), certificate()], "fail", "CN=docker.example is no CA"),
        ([], "fail", "no certificate"),
        ({"error": "holds no PEM certificate"}, "unknown", "holds no PEM certificate"),
    ],
)
def test_the_ca_file_holds_cas(held, verdict, text):
    judged(tls.ca_certificate, snapshot(certificates={CA: held}), verdict, text)


def test_a_ca_file_that_is_missing_is_found():
    judged(tls.ca_certificate, snapshot(files={CA: None}), "fail", "no certificate")


@pytest.mark.parametrize(
    ("keys", "verdict", "text"),
    [
        ({}, "pass", ""),
        # Edge case 74: mkcert leaves it beside the certificates.
        (
            {"/etc/docker/tls/rootCA-key.pem": {"public_key": CA_KEY, "encrypted": False}},
            "fail",
            "rootCA-key.pem",
        ),
        (
            {"/etc/docker/tls/other.pem": {"public_key": None, "encrypted": True}, "/gone.pem": None},
            "pass",
            "",
        ),
        ({"/etc/docker/tls/secret.pem": {"error": "no permission"}}, "unknown", "no permission"),
    ],
)
def test_the_key_of_the_ca_is_elsewhere(keys, verdict, text):
    judged(tls.ca_key_elsewhere, snapshot(keys=keys), verdict, text)


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "pass", ""),
        ({"keys": {KEY: {"public_key": "dd" * 32, "encrypted": False}}}, "fail", "another key's certificate"),
        ({"keys": {KEY: {"public_key": None, "encrypted": True}}}, "fail", "encrypted"),
        ({"files": {KEY: None}}, "fail", KEY),
        ({"files": {CERT: None}}, "fail", CERT),
        ({"files": {CERT: {"error": "no permission"}}}, "unknown", "no permission"),
        ({"certificates": {CERT: [certificate(signed_by=["/other.pem"])]}}, "fail", "not signed by the CA"),
        ({"keys": {KEY: {"error": "no permission"}}}, "unknown", "no permission"),
        ({"certificates": {CERT: {"error": "no permission"}}}, "unknown", "no permission"),
    ],
)
def test_key_and_certificate_belong_together(changes, verdict, text):
    judged(tls.key_pair, snapshot(**changes), verdict, text)


def test_options_that_are_not_set_are_named():
    found = judged(
        tls.key_pair, snapshot(with_settings(engine(), "tlscert", "tlskey")), "fail", "tlskey is not set"
    )
    assert [subject["actual"] for subject in found["subjects"]] == ["tlscert is not set", "tlskey is not set"]


def test_a_certificate_file_named_as_the_key_is_no_key():
    host = snapshot(with_settings(engine(), tlskey=CERT))
    judged(tls.key_pair, host, "fail", "a file with the key")


def serving(**changes):
    return endpoint(tls={"certificate": {**certificate(signed_by=[]), **changes}})


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (snapshot(), "pass", ""),
        # Edge case 69.
        (snapshot(engine(endpoints=[serving(san=[])])), "fail", "CN only: CN=docker.example"),
        (snapshot(QUIET, certificates={CERT: [certificate(san=[])]}), "fail", CERT),
        (snapshot(QUIET), "pass", ""),
        (snapshot(QUIET, certificates={CERT: {"error": "no permission"}}), "unknown", "no permission"),
        (snapshot(NO_TLS), "pass", ""),
    ],
)
def test_server_certificates_have_names(host, verdict, text):
    judged(tls.server_names, host, verdict, text)


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        (["docker.example", "192.0.2.10"], "pass"),
        (["Docker.Example"], "pass"),
        (["docker.example."], "pass"),
        (["[192.0.2.10]"], "pass"),
        (["dock1.example"], "fail"),
        (["192.0.2.11"], "fail"),
    ],
)
def test_names_that_clients_use_are_covered(names, verdict):
    judged(tls.server_names, snapshot(), verdict, names=names)


def test_a_wildcard_covers_one_level():
    host = snapshot(engine(endpoints=[serving(san=["DNS:*.docker.example"])]))
    judged(tls.server_names, host, "pass", names=["a.docker.example"])
    judged(tls.server_names, host, "fail", "b.a.docker.example", names=["b.a.docker.example"])


@pytest.mark.parametrize(
    ("usages", "verdict", "text"),
    [
        (["serverAuth"], "pass", ""),
        (["clientAuth", "serverAuth"], "pass", ""),
        (["clientAuth"], "fail", "clientAuth"),
        (None, "fail", "any purpose"),
        (["anyExtendedKeyUsage"], "fail", "any purpose"),
    ],
)
def test_server_certificates_are_for_servers(usages, verdict, text):
    judged(tls.server_purpose, snapshot(engine(endpoints=[serving(eku=usages)])), verdict, text)


@pytest.mark.parametrize(
    ("changes", "verdict", "text"),
    [
        ({}, "pass", ""),
        ({"not_after": NOW + 31 * DAY}, "pass", ""),
        ({"not_after": NOW + 29 * DAY}, "fail", "29 days left"),
        ({"not_after": NOW - 3 * DAY}, "fail", "expired 3 days ago"),
        ({"not_before": NOW + 2 * DAY}, "fail", "valid in 2 days"),
        ({"not_after": None}, "unknown", "were not understood"),
    ],
)
def test_certificates_in_files_are_current(changes, verdict, text):
    judged(tls.certificates_current, snapshot(certificates={CERT: [certificate(**changes)]}), verdict, text)


def test_of_a_file_with_more_the_first_to_end_counts():
    held = [certificate(), authority(not_after=NOW + DAY, subject="CN=old CA")]
    judged(tls.certificates_current, snapshot(certificates={CA: held}), "fail", "CN=old CA")


def test_the_warning_can_come_earlier():
    host = snapshot(certificates={CERT: [certificate(not_after=NOW + 40 * DAY)]})
    judged(tls.certificates_current, host, "pass")
    judged(tls.certificates_current, host, "fail", "more than 60 days", warn_days=60)


def test_a_renewed_file_does_not_help_a_listener_that_serves_the_old_one():
    """A reload does not read certificates again: only a restart serves the new one."""
    host = snapshot(engine(endpoints=[serving(not_after=NOW - DAY)]))
    judged(tls.certificates_current, host, "fail", "served at 192.0.2.10:2376")


def test_a_certificate_that_is_served_from_its_file_is_told_once():
    old = {"not_after": NOW - DAY}
    host = snapshot(engine(endpoints=[serving(**old)]), certificates={CERT: [certificate(**old)]})
    assert [subject["name"] for subject in judged(tls.certificates_current, host, "fail")["subjects"]] == [
        CERT
    ]


def test_one_file_that_cannot_be_read_hides_no_other():
    host = snapshot(certificates={CA: {"error": "no permission"}, CERT: [certificate(not_after=NOW)]})
    found = judged(tls.certificates_current, host, "fail", "0 days left")
    assert found["counts"]["unknown"] == 1


def test_dates_are_judged_without_an_engine_too():
    host = {**snapshot(certificates={CERT: [certificate(not_after=NOW)]}), "engines": []}
    judged(tls.certificates_current, host, "fail")
    judged(tls.key_pair, {**host, "engines": []}, "not_applicable")


def test_a_stopped_engine_is_judged_by_its_files():
    judged(tls.key_pair, snapshot(stopped_engine(), files={KEY: None}), "fail", KEY)
    judged(
        tls.server_names, snapshot(stopped_engine(), certificates={CERT: [certificate(san=[])]}), "fail", CERT
    )


WEAK = {"key_type": "RSA", "key_bits": 1024}


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (snapshot(), "pass", ""),
        (snapshot(engine(endpoints=[serving(**WEAK)])), "fail", "RSA key of 1024 bits"),
        (snapshot(engine(endpoints=[serving(key_type="Ed448", key_bits=456)])), "fail", "kind Ed448"),
        (
            snapshot(engine(endpoints=[serving(signature_algorithm="ecdsa-with-SHA1")])),
            "fail",
            "signed with ecdsa-with-SHA1",
        ),
        (snapshot(certificates={CA: [authority(**WEAK)]}), "fail", CA),
        (snapshot(certificates={CA: [authority(signature_algorithm="sha1WithRSAEncryption")]}), "pass", ""),
        (snapshot(certificates={CA: {"error": "no permission"}}), "unknown", "no permission"),
        (
            snapshot(engine(endpoints=[serving(**WEAK)]), certificates={CA: {"error": "no permission"}}),
            "fail",
            "RSA key of 1024 bits",
        ),
        (snapshot(NO_TLS), "pass", ""),
    ],
)
def test_keys_and_signatures_are_strong(host, verdict, text):
    judged(tls.strong_keys, host, verdict, text)


@pytest.mark.parametrize("control", [tls.server_names, tls.server_purpose, tls.certificates_current])
def test_a_served_certificate_that_openssl_does_not_read_is_unknown(control):
    unread = endpoint()
    unread["tls"]["certificate"] = {"error": "openssl does not read the certificate"}
    judged(control, snapshot(engine(endpoints=[unread])), "unknown", "openssl does not read the certificate")
