# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The 18 host states that other checkers judge wrongly, by their numbers in the research: here judged right.

Each test first shows on the host that the state is what it claims to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.audit.compliance import audit as judge

from tests.hosts import states
from tests.hosts.auditing import audit, engine_of, finding, subjects, verdict
from tests.hosts.host import Host

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
OPEN = ["curl", "--silent", "--show-error", "--max-time", "5", "http://127.0.0.1:2375/version"]
HARDENED_SETTINGS = {
    "icc": False,
    "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 2048, "Soft": 1024}},
    "userns-remap": "default",
    "no-new-privileges": True,
    "userland-proxy": False,
}


@pytest.fixture
def daemon_host(shared_host: Host) -> Iterator[Host]:
    """The module's host; its engine is Debian's own again after the test."""
    yield shared_host
    states.reset_docker(shared_host)


@pytest.mark.images("bookworm", "trixie")
def test_r1_modes_are_bit_masks_not_numbers(daemon_host: Host) -> None:
    states.start_docker(daemon_host, {})
    daemon_host.run(f"chmod 0606 /run/docker.sock; chmod 0622 {states.DAEMON_JSON}; chmod 0733 /etc/docker")
    assert daemon_host.run([*NOBODY, "docker", "ps", "--quiet"]).rc == 0
    result = audit(daemon_host, controls=["file.*"])
    daemon_host.run("chmod 0755 /etc/docker")
    for control, path, mode in (
        ("file.engine_socket", "/run/docker.sock", "mode 0606"),
        ("file.engine_configuration", states.DAEMON_JSON, "mode 0622"),
        ("file.config_directory", "/etc/docker", "mode 0733"),
    ):
        assert verdict(result, control) == "fail"
        assert (path, mode) in [(s["name"], s["actual"]) for s in finding(result, control)["subjects"]]


def test_r2_tcp_listener_of_the_socket_unit(daemon_host: Host) -> None:
    daemon_host.put(states.SOCKET_DROP_IN, "[Socket]\nListenStream=0.0.0.0:2375\n")
    daemon_host.run("systemctl daemon-reload; systemctl stop docker.service; systemctl restart docker.socket")
    daemon_host.restart_docker()
    assert '"ApiVersion"' in daemon_host.run(OPEN).stdout
    result = audit(daemon_host, controls=["listener.docker_*", "tls.*"])
    assert subjects(result, "listener.docker_api_unauthenticated") == {"0.0.0.0:2375": "fail"}
    (subject,) = finding(result, "listener.docker_api_unauthenticated")["subjects"]
    assert (subject["actual"], subject["evidence"]) == (
        "answers to plain HTTP",
        "status 200, opened by docker.socket",
    )
    assert verdict(result, "tls.client_verification") == "fail"


def test_r3_hosts_over_several_lines_of_daemon_json(daemon_host: Host) -> None:
    hosts = '{\n  "hosts": [\n    "fd://",\n    "tcp://0.0.0.0:2375"\n  ]\n}\n'
    states.start_docker(daemon_host, hosts, flags="--tls=false")
    assert '"ApiVersion"' in daemon_host.run(OPEN).stdout
    result = audit(daemon_host, controls=["listener.docker_*"])
    (subject,) = finding(result, "listener.docker_api_unauthenticated")["subjects"]
    # Go listens on all addresses of both families when told 0.0.0.0.
    assert (subject["name"], subject["verdict"], subject["evidence"]) == (
        "[::]:2375",
        "fail",
        "status 200, opened by dockerd",
    )


def test_r5_mutual_tls_that_is_wholly_in_daemon_json(daemon_host: Host) -> None:
    settings = {"hosts": ["fd://", "tcp://0.0.0.0:2376"], **states.certificates(daemon_host)}
    states.start_docker(daemon_host, json.dumps(settings, indent=2), flags="")
    ask = ["curl", "--silent", "--max-time", "5", "--cacert", f"{states.TLS}/ca.pem"]
    client = ["--cert", "/root/client/cert.pem", "--key", "/root/client/key.pem"]
    assert daemon_host.run([*ask, "https://127.0.0.1:2376/version"], check=False).rc != 0
    assert '"ApiVersion"' in daemon_host.run([*ask, *client, "https://127.0.0.1:2376/version"]).stdout
    result = audit(daemon_host, controls=["listener.docker_*", "tls.*", "file.tls_*"])
    for control in (
        "listener.docker_api_unauthenticated",
        "listener.docker_api_client_certificates",
        "tls.client_verification",
        "tls.own_ca",
        "tls.ca_certificate",
        "tls.ca_key_elsewhere",
        "tls.key_pair",
        "tls.server_names",
        "tls.server_purpose",
        "tls.strong_keys",
        "file.tls_server_key",
    ):
        assert (control, verdict(result, control)) == (control, "pass")
    (endpoint,) = engine_of(result)["endpoints"]
    assert endpoint["tls"]["ca_names"] == ["CN=test-ca"]


def test_r7_flags_that_switch_off(daemon_host: Host) -> None:
    flags = "-H fd:// --userns-remap= --no-new-privileges=false --live-restore=false"
    states.start_docker(daemon_host, flags=flags)
    daemon_host.import_busybox()
    daemon_host.docker("run", "--detach", "--name", "plain", "busybox:test", "sleep", "600")
    status = daemon_host.run("cat /proc/$(docker inspect -f '{{.State.Pid}}' plain)/status").stdout
    assert "NoNewPrivs:\t0" in status
    result = audit(daemon_host)
    for control in ("daemon.userns_remap", "daemon.no_new_privileges", "daemon.live_restore"):
        assert (control, verdict(result, control)) == (control, "fail")
    assert subjects(result, "container.no_new_privileges") == {"plain": "fail"}
    assert subjects(result, "container.root_user") == {"plain": "fail"}


def test_r9_daemon_json_edited_but_not_in_force(daemon_host: Host, host_image: str) -> None:
    states.start_docker(daemon_host)
    # An edit within the clock's grace after the start may be in force.
    daemon_host.run("sleep 3")
    daemon_host.put(states.DAEMON_JSON, json.dumps(HARDENED_SETTINGS))
    assert '"userns"' not in daemon_host.docker("info", "--format", "{{json .SecurityOptions}}").stdout
    result = audit(daemon_host, controls=["daemon.*"])
    for control in ("daemon.icc", "daemon.userns_remap"):
        assert verdict(result, control) == "fail"
        assert "restart pending" in finding(result, control)["subjects"][0]["evidence"]
    # 20.10 does not tell whether no-new-privileges is in force, and no engine tells the other two.
    for control, expected in (
        ("daemon.no_new_privileges", "unknown" if host_image == "bookworm" else "fail"),
        ("daemon.default_ulimits", "unknown"),
        ("daemon.userland_proxy", "unknown"),
    ):
        assert (control, verdict(result, control)) == (control, expected)
        assert "restart pending" in str(finding(result, control)["subjects"])
    assert verdict(result, "daemon.configuration_applied") == "fail"


@pytest.mark.images("trixie")
@pytest.mark.parametrize(("driver", "logging"), [("none", "fail"), ("local", "pass")])
def test_r13_log_driver_that_keeps_nothing_central(daemon_host: Host, driver: str, logging: str) -> None:
    states.start_docker(daemon_host, {"log-driver": driver})
    result = audit(daemon_host, controls=["daemon.*"])
    assert verdict(result, "daemon.logging") == logging
    assert verdict(result, "daemon.central_logging") == "fail"


def test_r16_experimental_engine(daemon_host: Host) -> None:
    states.start_docker(daemon_host, {"experimental": True})
    assert daemon_host.docker("version", "--format", "{{.Server.Experimental}}").stdout == "true\n"
    assert verdict(audit(daemon_host, controls=["daemon.*"]), "daemon.experimental") == "fail"


def test_r17_created_container_that_never_ran(shared_host: Host) -> None:
    shared_host.import_busybox()
    options = ["--name", "waiting", "--privileged", "--restart", "always", "--volume", "/:/host"]
    shared_host.docker("create", *options, "busybox:test", "true")
    assert shared_host.docker("ps", "--quiet").stdout == ""
    result = audit(shared_host, controls=["container.*"])
    shared_host.docker("rm", "waiting")
    for control in ("container.privileged", "container.sensitive_mounts", "container.restart_policy"):
        assert subjects(result, control) == {"waiting": "fail"}


@pytest.mark.images("bookworm")
def test_r19_socket_stricter_than_asked(shared_host: Host) -> None:
    shared_host.run("chown root:root /run/docker.sock; chmod 0600 /run/docker.sock")
    result = audit(shared_host, controls=["file.*"])
    shared_host.run("chown root:docker /run/docker.sock; chmod 0660 /run/docker.sock")
    fact = result["snapshot"]["files"]["/run/docker.sock"]
    assert (fact["mode"], fact["owner"], fact["group"]) == ("0600", "root", "root")
    assert verdict(result, "file.engine_socket") == "pass"


def with_audit_rules(host: Host, rules: list[str]) -> dict[str, Any]:
    """The audit of a real snapshot with these rules loaded: a host in a container has no audit system of its own."""
    snapshot = audit(host, controls=["audit.*"])["snapshot"]
    snapshot["host"]["container"] = None
    snapshot["audit"] = {"enabled": 1, "loaded": rules, "files": {}}
    chosen = {"controls": ["audit.*", "host.audit_system"], "profile": "strict"}
    nothing: dict[str, Any] = {"parameters": {}, "severities": {}, "waivers": [], "attestations": []}
    return judge(snapshot, {**chosen, **nothing}, "2026-11-22")


def test_r21_audit_rules_for_other_paths_and_rules_that_suppress(shared_host: Host) -> None:
    result = with_audit_rules(
        shared_host,
        [
            "-w /usr/bin/containerd-shim-runc-v2 -p rwxa -k docker",
            "-w /etc/docker/daemon.json -p rwxa -k docker",
            "-a never,exit -F path=/usr/sbin/dockerd -F perm=rwxa",
            "-w /var/lib/docker-old -p rwxa -k docker",
        ],
    )
    for control in ("audit.dockerd", "audit.data_root", "audit.config_directory", "audit.containerd"):
        assert (control, verdict(result, control)) == (control, "fail")
    assert "suppressed by" in finding(result, "audit.dockerd")["subjects"][0]["actual"]
    assert verdict(result, "audit.containerd_shim_runc_v2") == "pass"
    assert verdict(result, "host.audit_system") == "pass"


def test_r24_r25_kernel_without_apparmor_and_selinux(shared_host: Host) -> None:
    shared_host.import_busybox()
    shared_host.docker("run", "--detach", "--name", "default", "busybox:test", "sleep", "600")
    options = ["--name", "unfiltered", "--security-opt", "seccomp=unconfined"]
    shared_host.docker("run", "--detach", *options, "busybox:test", "sleep", "600")
    result = audit(shared_host, controls=["container.*"])
    shared_host.docker("rm", "--force", "default", "unfiltered")
    assert result["snapshot"]["host"]["lsm"]["apparmor"] is None
    assert verdict(result, "container.apparmor") == "not_applicable"
    assert verdict(result, "container.selinux") == "not_applicable"
    assert subjects(result, "container.seccomp") == {"unfiltered": "fail"}


def test_r27_health_check_none(shared_host: Host) -> None:
    shared_host.import_busybox("busybox:checked", "HEALTHCHECK CMD true")
    shared_host.import_busybox("busybox:unchecked", "HEALTHCHECK NONE")
    result = audit(shared_host, controls=["image.*"])
    failed = {s["name"]: s["actual"] for s in finding(result, "image.health_check")["subjects"]}
    assert failed["busybox:unchecked"] == "NONE"
    assert "busybox:checked" not in failed


@pytest.mark.images("trixie")
def test_r33_endless_restarts(shared_host: Host) -> None:
    shared_host.import_busybox()
    policies = {"endless": "always", "nearly": "unless-stopped", "five": "on-failure:5", "never": "no"}
    for name, policy in policies.items():
        shared_host.docker("create", "--name", name, "--restart", policy, "busybox:test", "true")
    result = audit(shared_host, controls=["container.*"])
    shared_host.docker("rm", *policies)
    assert subjects(result, "container.restart_policy") == {"endless": "fail", "nearly": "fail"}


def test_r38_swarm_with_one_manager(shared_host: Host) -> None:
    shared_host.docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    result = audit(shared_host, controls=["swarm.*"])
    shared_host.docker("swarm", "leave", "--force")
    (subject,) = finding(result, "swarm.managers")["subjects"]
    assert (subject["verdict"], subject["actual"], subject["expected"]) == ("fail", 1, [3, 5, 7])


def test_r42_rootless_engine_is_judged_on_its_own(host: Host) -> None:
    states.rootless(host, {"no-new-privileges": True, "live-restore": True})
    states.rootless_docker(host, "import", "/usr/share/bulwark-test/busybox.tar", "busybox:test")
    sockets = [f"--volume={states.ROOTLESS_SOCKET}:/own", "--volume=/run/docker.sock:/system"]
    for name, *options in (
        ("mine", "--publish=127.0.0.1:8080:80", "--memory=64m", "--cpu-shares=100", *sockets),
        ("guest", "--network=host"),
    ):
        states.rootless_docker(
            host, "run", "--detach", "--name", name, *options, "busybox:test", "httpd", "-f", "-p", "80"
        )
    # Without the proxy the host would not reach it.
    assert "404" in host.run("curl --silent --include --max-time 5 http://127.0.0.1:8080/").stdout
    result = audit(host)
    rootless = engine_of(result, "rootless:worker")
    assert rootless["config"]["path"] == "/home/worker/.config/docker/daemon.json"
    for container in rootless["containers"]:
        assert (container["process"]["uid"], container["process"]["no_new_privs"]) == (1000, True)
    for control in (
        "daemon.rootless_mode",
        "daemon.userns_remap",
        "daemon.no_new_privileges",
        "container.root_user",
        "container.no_new_privileges",
        "file.engine_socket",
        "file.engine_configuration",
        "file.config_directory",
        "file.containerd_socket",
        "rootless.unprivileged",
        "rootless.service",
    ):
        assert (control, verdict(result, control, "rootless:worker")) == (control, "pass")
    for control in ("daemon.userland_proxy", "daemon.live_restore"):
        assert (control, verdict(result, control, "rootless:worker")) == (control, "not_applicable")
    assert verdict(result, "daemon.rootless_mode", "system") == "fail"
    for control, name, actual in (
        # The account may not open the system's.
        ("container.engine_socket", "mine", states.ROOTLESS_SOCKET),
        ("container.cpu_limit", "mine", "limit ignored"),
        ("container.resource_limits", "mine", "memory (limit ignored), pids"),
        # What is published is opened by the engine, in the network that this one shares.
        ("container.undeclared_listeners", "guest", "80/tcp"),
    ):
        shown = {s["name"]: s["actual"] for s in finding(result, control, "rootless:worker")["subjects"]}
        assert (control, shown[name]) == (control, actual)
    assert finding(result, "container.engine_socket", "rootless:worker")["severity"] == "high"
    # Edge cases 90 and 98; and the system's engine is replaced.
    host.run("usermod --append --groups docker worker")
    host.run("systemctl disable --quiet --now docker.socket docker.service")
    host.put("/home/worker/.config/docker/daemon.json", '{"userns-remap": "default"}')
    result = audit(host)
    for control, actual in (
        ("rootless.no_userns_remap", "default"),
        ("rootless.user_not_in_docker_group", "member of docker"),
    ):
        found = finding(result, control, "rootless:worker")
        assert (control, [s["actual"] for s in found["subjects"]]) == (control, [actual])
    remedy = finding(result, "rootless.no_userns_remap", "rootless:worker")["remedy"]
    assert (remedy["role"], remedy["variables"]["rootless_user"]) == ("rootless", "worker")
    assert verdict(result, "rootless.system_engine_off", "rootless:worker") == "pass"
    # An engine that is off leaves nothing unknown.
    assert not [f for f in result["findings"] if (f["engine"], f["verdict"]) == ("system", "unknown")]


@pytest.mark.images("trixie")
def test_r43_data_root_that_is_a_bind_mount_of_the_same_disk(daemon_host: Host) -> None:
    daemon_host.run("mkdir -p /home/disk /home/docker && mount --bind /home/disk /home/docker")
    states.start_docker(daemon_host, {"data-root": "/home/docker"})
    assert daemon_host.run("mountpoint /home/docker").rc == 0
    result = audit(daemon_host, controls=["host.data_root_mount"])
    assert verdict(result, "host.data_root_mount") == "fail"
    (subject,) = finding(result, "host.data_root_mount")["subjects"]
    assert subject["actual"] == "/home/docker is a bind mount of the same file system"


def test_r45_audit_rule_for_the_path_that_debian_has(shared_host: Host) -> None:
    result = with_audit_rules(shared_host, ["-w /usr/sbin/dockerd -p wa -k docker"])
    assert verdict(result, "audit.dockerd") == "pass"
    assert verdict(result, "audit.config_directory") == "fail"
