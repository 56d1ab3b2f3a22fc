# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own redis, memcached, etcd and registry, on the host and published: whether they let strangers in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hosts.auditing import audit, finding, subjects
from tests.hosts.host import Host

PACKAGES = "redis-server memcached etcd-server docker-registry"
REGISTRY = "/etc/docker/registry/config.yml"
KINDS = ("redis", "memcached", "registry")
CONTROLS = ["listener.*_authentication", "listener.authentication", "orchestrator.*"]
PLANTED = "planted-9c41"

_INSTALL = f"""
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet && apt-get install --yes --quiet --no-install-recommends {PACKAGES}
"""
# Their units do not tell when they are ready.
_LISTENING = "until [ $(ss -tlnH '( sport = 11211 or sport = 5000 )' | wc -l) = 2 ]; do sleep 0.1; done"
# All on all addresses, and none asks for credentials. As set up, memcached cannot start without IPv6.
_OPEN = f"""
set -e
redis-cli config set bind '*' && redis-cli config set protected-mode no && redis-cli set {PLANTED} {PLANTED}
sed -i -e '/^-l/d' /etc/memcached.conf && echo '-l 0.0.0.0' >> /etc/memcached.conf
echo ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:2379 >> /etc/default/etcd
echo ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379 >> /etc/default/etcd
cp {REGISTRY} /root/secured.yml && sed -i '/^auth:/,/^health:/{{/^health:/!d}}' {REGISTRY}
systemctl reset-failed memcached && systemctl restart memcached etcd docker-registry
{_LISTENING}
"""
# The redis of the host, in a container.
_PUBLISHED = ["--name", "cache", "--publish", "6390:6379", "--volume", "/:/host:ro", "busybox:test"]
_REDIS = ["chroot", "/host", "redis-server", "--bind", "*", "--protected-mode", "no", "--dir", "/tmp"]
_SAME_AGAIN = f"redis-cli --raw dbsize; redis-cli --raw get {PLANTED}; redis-cli info commandstats"
# memcached takes accounts from a file of its own; the registry asks again as Debian set it up.
_SECURED = f"""
set -e
redis-cli config set protected-mode yes
redis-cli -p 6390 acl setuser default resetkeys -@all +ping
echo cache:secret > /etc/memcached.accounts && chmod 644 /etc/memcached.accounts
echo '-Y /etc/memcached.accounts' >> /etc/memcached.conf
cp /root/secured.yml {REGISTRY}
systemctl restart memcached docker-registry
{_LISTENING}
"""
_PASSWORD = "redis-cli config set protected-mode no && redis-cli config set requirepass secret"


def stated(result: dict[str, Any]) -> dict[str, list[str]]:
    """What was asked and the statuses, by kind and port."""
    return {
        f"{point['kind']} {point['port']}": [f"{each['path']} {each['status']}" for each in point["answers"]]
        for point in result["snapshot"]["services"]
    }


@pytest.mark.images("trixie")
def test_real_servers_are_asked_without_credentials(host: Host) -> None:
    host.run(_INSTALL)
    host.import_busybox()
    host.docker("run", "--detach", *_PUBLISHED, *_REDIS)

    # As Debian starts it: on loopback, without a password.
    result = audit(host, controls=CONTROLS)
    assert subjects(result, "listener.loopback_authentication") == {"redis 127.0.0.1:6379": "fail"}
    assert "redis 127.0.0.1:6379" not in subjects(result, "listener.redis_authentication")

    host.run(_OPEN)
    result = audit(host, controls=CONTROLS)
    assert stated(result) == {
        "redis 6379": ["PING open", "DBSIZE open"],
        "redis 6390": ["PING open", "DBSIZE open"],
        "memcached 11211": ["noop open", "version open"],
        "etcd 2379": ["/version 200", "/v3/kv/range 200"],
        "etcd 2380": ["/version 200", "/v3/kv/range 404"],
        "registry 5000": ["/v2/ 200"],
    }
    found = {name for kind in KINDS for name in subjects(result, f"listener.{kind}_authentication")}
    assert found >= {
        "redis 0.0.0.0:6379",
        "redis 0.0.0.0:6390",
        "memcached 0.0.0.0:11211",
        "registry :::5000",
    }
    assert "etcd :::2379" in subjects(result, "orchestrator.etcd_authentication")
    twice = subjects(result, "listener.authentication")
    assert [name for name in twice if "redis" in name or "memcached" in name] == []
    assert PLANTED not in json.dumps(result)
    kept = host.run(_SAME_AGAIN).stdout.split()
    assert kept[:2] == ["1", PLANTED]
    used = {line.split(":")[0] for line in kept if line.startswith("cmdstat_")}
    assert used <= {
        f"cmdstat_{name}" for name in ("config|set", "set", "get", "ping", "dbsize", "info", "command|docs")
    }

    host.run(_SECURED)
    result = audit(host, controls=CONTROLS)
    said = stated(result)
    # Protected mode refuses all but loopback: asked there, it would have passed for open.
    assert said["redis 6379"] == ["PING refused"]
    assert said["redis 6390"] == ["PING open", "DBSIZE refused"]
    assert said["memcached 11211"] == ["noop refused"]
    assert said["registry 5000"] == ["/v2/ 401"]
    assert {finding(result, f"listener.{kind}_authentication")["verdict"] for kind in KINDS} == {"pass"}

    host.run(_PASSWORD)
    result = audit(host, controls=CONTROLS)
    assert stated(result)["redis 6379"] == ["PING refused"]
    assert finding(result, "listener.redis_authentication")["verdict"] == "pass"
