# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of secrets, images, contexts and engines in containers."""

from __future__ import annotations

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.controls import container_contents as controls

from tests.unit.builders.containers import container, default_container, engine, holding, host_with, stopped
from tests.unit.builders.judging import finding

ALL = "000001ffffffffff"


def dockerd(**changes):
    processes = [{"name": "dockerd", "uid": 0, "gid": 0, "no_new_privs": False, "count": 1}]
    return default_container(processes=processes, **changes)


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
    assert controls.secret_names([name], []) == [name]


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
    assert controls.secret_names([name], []) == []


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


def inner(*words, **changes):
    return {"pid": 9, "name": "dockerd", "argv": ["dockerd", *words], "container": f"{1:064x}", **changes}


@pytest.mark.parametrize(
    ("processes", "listeners", "expected"),
    [
        ([inner("--host=unix:///run/docker.sock")], [], "pass"),
        ([inner("--host=tcp://0.0.0.0:2375", "--tls=false")], [], "TCP without --tlsverify"),
        ([inner("-H", "tcp://0.0.0.0:2376", "--tlsverify")], [], "pass"),
        ([inner("-H", "tcp://0.0.0.0:2376", "--tlsverify=false")], [], "TCP without --tlsverify"),
        ([inner("-H", "tcp://0.0.0.0:2376", container=None)], [], "pass"),
        ([inner("-H", "tcp://0.0.0.0:2376", name="docker-proxy")], [], "pass"),
        ([inner(argv={"error": "no permission"})], [], "unknown"),
        ([], [{"protocol": "tcp", "family": 4, "address": "0.0.0.0", "port": 2375}], "port 2375"),
        ({"error": "no permission"}, [], "unknown"),
    ],
)
def test_clients_of_an_engine_in_a_container(processes, listeners, expected):
    snapshot = host_with(engine(dockerd(listeners=listeners)), engine_processes=processes)
    assert verdict(controls.nested_engine_tls, snapshot) == expected


def test_without_an_inner_engine_its_controls_do_not_apply():
    assert verdict(controls.nested_engine_tls, holding(container())) == "not_applicable"
    assert verdict(controls.nested_engine_network, holding(container())) == "not_applicable"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("default", "default"), ("bridge", "bridge"), ("host", "host"), ("inner", "pass")],
)
def test_the_network_of_an_inner_engine(mode, expected):
    assert (
        verdict(controls.nested_engine_network, holding(dockerd(host_config={"NetworkMode": mode})))
        == expected
    )
