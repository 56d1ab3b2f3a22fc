# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of secrets, images, contexts and engines in containers."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls.containers import contents as controls
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects import (
    containers as subjects_containers,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.endpoints import named

from tests.unit.builders.containers import container, default_container, holding, stopped
from tests.unit.builders.daemon import endpoint, open_endpoint
from tests.unit.builders.judging import finding

ALL = "000001ffffffffff"


def dockerd(number=1, **changes):
    processes = [{"name": "dockerd", "uid": 0, "gid": 0, "no_new_privs": False, "count": 1}]
    return default_container(number, processes=processes, **changes)


def verdict(control, snapshot, **parameters):
    found = finding(control, snapshot, **parameters)
    return found["subjects"][0]["actual"] if found["verdict"] == "fail" else found["verdict"]


@pytest.mark.parametrize(
    "name",
    [
        *("MYSQL_ROOT_PASSWORD", "PGPASSWORD", "DB_PASS", "REDIS_PWD", "GITHUB_TOKEN", "client_secret"),
        *("AWS_SECRET_ACCESS_KEY", "APIKEY", "API_KEY", "STRIPE_PRIVATE_KEY", "SSH_PASSPHRASE", "AUTH-KEY"),
    ],
)
def test_names_of_secrets(name):
    assert subjects_containers.secret_names([name], []) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PATH",
            "PWD",
            "OLDPWD",
            "GPG_KEY",
            "KEYBOARD",
            "MONKEY",
            "SSH_PUBLIC_KEY",
            "POSTGRES_PASSWORD_FILE",
        ),
        *(
            "TOKEN_TTL",
            "PASSWORD_MIN_LENGTH",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "SECRET_NAME",
            "COMPASS",
            "TOKEN_URL",
        ),
    ],
)
def test_names_of_no_secrets(name):
    assert subjects_containers.secret_names([name], []) == []


def test_secrets_in_environment_and_labels():
    one = container(config={"env_names": ["PATH", "DB_PASSWORD"], "label_names": ["traefik.token"]})
    control = controls.secrets_in_environment
    assert verdict(control, holding(one)) == "DB_PASSWORD, traefik.token"
    assert verdict(control, holding(one), allow=["DB_*", "traefik.*"]) == "pass"
    assert verdict(control, holding(container())) == "pass"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nginx", "nginx:latest"),
        ("nginx:1.27", "nginx:1.27"),
        ("registry.example:5000/shop", "registry.example:5000/shop:latest"),
        ("registry.example:5000/shop:2", "registry.example:5000/shop:2"),
        ("nginx:1.27@sha256:" + "0a" * 32, "pass"),
        ("sha256:" + "0a" * 32, "pass"),
    ],
)
def test_images_by_digest(name, expected):
    assert verdict(controls.image_digest, holding(container(image=name))) == expected


def labelled(number, **labels):
    return container(id=f"{number:064x}", name=f"c{number}", config={"labels": labels})


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        ([container()], "not_applicable"),
        ([labelled(1, env="production"), labelled(2, env="production"), container()], "pass"),
        ([labelled(1, env="production"), labelled(2, env="test")], "env: production, test"),
        ([labelled(1, env="production"), labelled(2, tier="front")], "pass"),
        ([stopped(config={"error": "gone"})], "unknown"),
    ],
)
def test_contexts(containers, expected):
    assert verdict(controls.mixed_contexts, holding(*containers)) == expected


def test_the_labels_of_contexts_can_be_chosen():
    mixed = holding(labelled(1, stage="a", zone="x"), labelled(2, stage="b", zone="x"))
    assert verdict(controls.mixed_contexts, mixed) == "stage: a, b"
    assert verdict(controls.mixed_contexts, mixed, labels=["zone"]) == "pass"


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (container(), "pass"),
        (dockerd(process={"cap_bnd": ALL}), "with SYS_ADMIN"),
        (dockerd(), "pass"),
        (stopped(image="docker:28.1-dind", host_config={"Privileged": True}), "with SYS_ADMIN"),
        (stopped(image="docker:dind-rootless"), "pass"),
        (stopped(image="registry.example/dinder", host_config={"Privileged": True}), "pass"),
    ],
)
def test_engines_in_containers(one, expected):
    assert verdict(controls.nested_engine, holding(one)) == expected


PLAIN = open_endpoint(address="::", port=4711)
REFUSED_PLAIN = open_endpoint(plain={"status": 403})
HANGING = open_endpoint(plain={"status": None, "error": "timed out"}, tls={"error": "timed out"})
TO_ANYONE = endpoint(tls={"status": 200, "error": None, "certificate_requested": False, "ca_names": []})
NOT_ASKED_FOR = endpoint(tls={"certificate_requested": False})


@pytest.mark.parametrize(
    ("endpoints", "expected"),
    [
        ([], "pass"),
        ([endpoint()], "pass"),
        ([PLAIN], "plain HTTP at [::]:4711"),
        ([REFUSED_PLAIN], f"plain HTTP at {named(REFUSED_PLAIN)}"),
        ([TO_ANYONE], "TLS without a client certificate at 192.0.2.10:2376"),
        ([NOT_ASKED_FOR], "TLS without a client certificate at 192.0.2.10:2376"),
        ([endpoint(), PLAIN], "plain HTTP at [::]:4711"),
        ([HANGING], "unknown"),
        ([endpoint(tls={"certificate_requested": None, "error": "timed out"})], "unknown"),
        ({"error": "no permission"}, "unknown"),
    ],
)
def test_rt20_clients_of_an_engine_in_a_container(endpoints, expected):
    assert verdict(controls.nested_engine_tls, holding(dockerd(endpoints=endpoints))) == expected


def test_an_inner_engine_in_a_snapshot_that_did_not_ask_it_is_not_known():
    assert verdict(controls.nested_engine_tls, holding(dockerd())) == "unknown"


def test_without_an_inner_engine_its_controls_do_not_apply():
    assert verdict(controls.nested_engine_tls, holding(container())) == "not_applicable"
    assert verdict(controls.nested_engine_network, holding(container())) == "not_applicable"


@pytest.mark.parametrize(
    ("mode", "networks", "expected"),
    [
        ("default", ["bridge"], "default"),
        ("bridge", ["bridge"], "bridge"),
        ("host", ["host"], "host"),
        ("inner", ["inner"], "pass"),
        # Connected to it later on.
        ("inner", ["bridge", "inner"], "bridge"),
    ],
)
def test_rt22_the_network_of_an_inner_engine(mode, networks, expected):
    one = dockerd(host_config={"NetworkMode": mode}, networks=networks)
    assert verdict(controls.nested_engine_network, holding(one)) == expected


def test_rt22_the_network_of_another_container():
    other = container(host_config={"NetworkMode": "bridge"})
    one = dockerd(number=2, host_config={"NetworkMode": f"container:{other['id']}"}, networks=[])
    assert verdict(controls.nested_engine_network, holding(other, one)) == "bridge"
