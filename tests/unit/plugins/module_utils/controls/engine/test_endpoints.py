# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TCP listeners of the API: judged by what answers, whatever flags, files and units say."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.engine import endpoints
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects import (
    endpoints as subjects_endpoints,
)

from tests.unit.builders.daemon import (
    endpoint,
    engine,
    open_endpoint,
    rootless_engine,
    said,
    silent_endpoint,
    snapshot,
    tcp_unit,
    unit,
    with_settings,
)
from tests.unit.builders.judging import finding

ANYONE = endpoint(tls={"status": 200, "error": None, "certificate_requested": False, "ca_names": []})
REFUSED_BY_PLUGIN = open_endpoint(plain={**open_endpoint()["plain"], "status": 403})
NOT_ASKED = "not asked, for a connection would start docker.service"
NO_TLS = ("tlsverify", "tlscacert", "tlscert", "tlskey")


def on(*listening, **changes):
    return snapshot(engine(endpoints=list(listening), **changes))


def judged(control, host, verdict, text="", **parameters):
    found = finding(control, host, **parameters)
    assert found["verdict"] == verdict
    assert text in said(found)


@pytest.mark.parametrize(
    ("listening", "verdict", "text"),
    [
        # R5: mutual TLS wholly in daemon.json.
        ([endpoint(source="dockerd")], "pass", ""),
        ([endpoint(tls={"handshake": False, "version": None, "error": "bad certificate"})], "pass", ""),
        ([], "pass", ""),
        # R2: a drop-in of docker.socket; R3: hosts in daemon.json; edge case 79: an odd port.
        ([open_endpoint(source="docker.socket")], "fail", "answers to plain HTTP"),
        ([open_endpoint(source="dockerd")], "fail", "status 200, opened by dockerd"),
        ([open_endpoint(port=4711)], "fail", "0.0.0.0:4711"),
        # Edge case 65: tlsverify false.
        ([ANYONE], "fail", "answers to TLS without a client certificate"),
        ([endpoint(), ANYONE], "fail", "1 of 2"),
        ([silent_endpoint()], "unknown", "speaks neither HTTP nor TLS: timed out"),
        ([silent_endpoint(NOT_ASKED)], "unknown", NOT_ASKED),
        ([silent_endpoint(), open_endpoint()], "fail", "answers to plain HTTP"),
        ([endpoint(tls={"error": "openssl failed"})], "unknown", "openssl failed"),
        ({"error": "listeners could not be read"}, "unknown", "listeners could not be read"),
    ],
)
def test_who_answers_without_a_certificate_is_critical(listening, verdict, text):
    host = snapshot(engine(endpoints=listening))
    judged(endpoints.unauthenticated, host, verdict, text)


def test_what_answers_counts_whatever_the_configuration_says():
    for running in (
        engine(endpoints=[open_endpoint()]),
        with_settings(engine(endpoints=[ANYONE]), tlsverify=True),
    ):
        found = finding(endpoints.unauthenticated, snapshot(running))
        assert (found["verdict"], found["severity"]) == ("fail", "critical")


@pytest.mark.parametrize(
    ("listening", "verdict", "text"),
    [
        (endpoint(), "pass", ""),
        # Who gets a full answer is told once, as unauthenticated.
        (ANYONE, "not_applicable", ""),
        (endpoint(tls={"status": 403}), "fail", "answered 403"),
        (endpoint(tls={"certificate_requested": False}), "fail", "not requested"),
        (
            endpoint(tls={"certificate_requested": None, "error": "connection reset"}),
            "unknown",
            "connection reset",
        ),
        (REFUSED_BY_PLUGIN, "fail", "plain HTTP"),
        (open_endpoint(), "not_applicable", ""),
        (silent_endpoint(), "unknown", "timed out"),
        ({**endpoint(), "tls": {"error": "no openssl"}}, "unknown", "no openssl"),
    ],
)
def test_client_certificates_are_demanded(listening, verdict, text):
    judged(endpoints.client_certificates, on(listening), verdict, text)


@pytest.mark.parametrize(
    ("address", "port", "verdict", "name"),
    [
        ("192.0.2.10", 2376, "pass", ""),
        ("127.0.0.1", 2375, "pass", ""),
        ("::1", 2375, "pass", ""),
        ("0.0.0.0", 2376, "fail", "0.0.0.0:2376"),
        ("::", 2376, "fail", "[::]:2376"),
    ],
)
def test_the_api_listens_on_one_address(address, port, verdict, name):
    judged(endpoints.api_address, on(endpoint(address=address, port=port)), verdict, name)


def test_a_wildcard_can_be_meant():
    judged(endpoints.api_address, on(endpoint(address="::")), "pass", allow=["[::]:2376"])


@pytest.mark.parametrize(
    ("hosts", "verdict", "text"),
    [
        (["fd://", "unix:///run/docker.sock"], "pass", ""),
        (["tcp://192.0.2.10:2376", "192.0.2.10:2376", "tcp://[::1]:2376"], "pass", ""),
        # Edge case 75.
        (["fd://", "tcp://192.0.2.10"], "fail", "tcp://192.0.2.10: 2375, expected a port"),
        (["tcp://"], "fail", "2375"),
        (["tcp://[::1]"], "fail", "2375"),
    ],
)
def test_tcp_addresses_name_their_port(hosts, verdict, text):
    by_flag, by_file = (
        engine(flags={"host": hosts}),
        {**engine(config={"settings": {"hosts": hosts}}), "flags": {}},
    )
    judged(endpoints.port_named, snapshot(by_flag), verdict, text)
    judged(endpoints.port_named, snapshot(by_file), verdict, text)


def with_units(running, **units):
    host = snapshot(running)
    return {
        **host,
        "units": {"docker.socket": unit(), **{f"{name}.socket": one for name, one in units.items()}},
    }


WITHOUT_TLS = with_settings(engine(endpoints=[]), *NO_TLS)


def listening(*found):
    return {**WITHOUT_TLS, "endpoints": list(found)}


@pytest.mark.parametrize(
    ("host", "verdict", "text"),
    [
        (with_units(engine(endpoints=[]), docker=unit(), tcp=tcp_unit()), "pass", ""),
        (with_units(WITHOUT_TLS, tcp=tcp_unit()), "fail", "192.0.2.10:2376"),
        (with_units(WITHOUT_TLS, tcp=tcp_unit(active="inactive")), "fail", "tcp.socket"),
        (with_units(WITHOUT_TLS, tcp=tcp_unit(active="inactive", enabled="disabled")), "not_applicable", ""),
        (with_units(with_settings(engine(endpoints=[]), tlsverify=False), tcp=tcp_unit()), "fail", ""),
        (with_units(with_settings(WITHOUT_TLS, tls=True), tcp=tcp_unit()), "pass", ""),
        (with_units(WITHOUT_TLS, docker=unit()), "pass", ""),
        (with_units(WITHOUT_TLS, cups=tcp_unit(triggers=["cups.service"])), "pass", ""),
        # What has answered is judged by that.
        (with_units(listening(open_endpoint(source="tcp.socket")), tcp=tcp_unit()), "not_applicable", ""),
        (with_units(listening(silent_endpoint(NOT_ASKED, source="tcp.socket")), tcp=tcp_unit()), "fail", ""),
        ({**snapshot(), "units": {"error": "systemctl hangs"}}, "unknown", "systemctl hangs"),
        (snapshot(rootless_engine()), "pass", ""),
    ],
)
def test_a_socket_unit_without_tls_opens_the_api_at_the_next_start(host, verdict, text):
    judged(endpoints.socket_unit_tls, host, verdict, text)


@pytest.mark.parametrize(
    ("socket", "verdict"),
    [
        (tcp_unit(), "pass"),
        (tcp_unit(enabled="disabled"), "fail"),
        (tcp_unit(enabled=""), "fail"),
        (tcp_unit(active="inactive", enabled="disabled"), "pass"),
        (unit(enabled="disabled"), "pass"),
    ],
)
def test_a_socket_unit_that_serves_is_enabled(socket, verdict):
    judged(endpoints.socket_unit_enabled, with_units(engine(), tcp=socket), verdict)


@pytest.mark.parametrize(
    ("settings", "mode"),
    [
        ({"tlsverify": True}, subjects_endpoints.VERIFIED),
        ({"tlsverify": True, "tls": True}, subjects_endpoints.VERIFIED),
        ({"tlsverify": False, "tls": True}, subjects_endpoints.ANYONE),
        ({"tls": True}, subjects_endpoints.TLS_ALONE),
        ({"tls": False}, subjects_endpoints.PLAIN),
        ({}, subjects_endpoints.PLAIN),
    ],
)
def test_what_the_options_demand_of_clients(settings, mode):
    assert subjects_endpoints.verification(with_settings(WITHOUT_TLS, **settings)) == mode
