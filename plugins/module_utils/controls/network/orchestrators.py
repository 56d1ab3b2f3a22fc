# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of orchestrators' end points on this host, by what they answer without credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unread, read
from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.packet_filter import (
    ACCEPT,
    Packet,
    incoming,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import (
    Service,
    require_owner,
    services,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.known_services import (
    MANAGEMENT,
    known_service,
)
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge.listeners import families

EndPoint = Mapping[str, Any]
_READ_ONLY_PORT = 10255
_MANAGING = ("etcd", "kubelet", "apiserver", "dashboard")
# The log-in page of a dashboard is for everybody, its API is not.
_PUBLIC_PATHS = {"dashboard": ("/",)}


def end_points(*kinds: str) -> Callable[[Case], Iterable[Item]]:
    """The selector of the end points of some kinds."""

    def over(case: Case) -> Iterator[Item]:
        for end_point in case.host("services"):
            if end_point["kind"] in kinds:
                name = f"{end_point['kind']} {end_point['address']}:{end_point['port']}"
                yield Item("socket", name, name, end_point)

    return over


def _answers(end_point: EndPoint, statuses: Sequence[int]) -> list[str]:
    """`https /pods: 200` for the answers with one of the statuses. Unread when none came in time."""
    answers = read(end_point, "answers")
    if all(answer["status"] is None and "timed out" in (answer["error"] or "") for answer in answers):
        raise Unread(
            f"{end_point['kind']} at port {end_point['port']} took the connection and did not answer"
        )
    public = _PUBLIC_PATHS.get(end_point["kind"], ())
    return [
        f"{answer['scheme']} {answer['path']}: {answer['status']}"
        for answer in answers
        if answer["status"] in statuses and answer["path"] not in public
    ]


def _open_without_credentials(
    control_id: str, kind: str, title: str, requirement: str, remedy: str, why: str
) -> Control:
    def judge(end_point: EndPoint, case: Case) -> Deviation | None:
        if end_point["port"] == _READ_ONLY_PORT:
            raise NotApplicable("judged by orchestrator.kubelet_read_only_port")
        answers = _answers(end_point, (200,))
        return Deviation(", ".join(answers), "refused", "asked without credentials") if answers else None

    judge.__doc__ = why
    control: Control = scope("orchestrators", per_engine=False, over=end_points(kind))(
        control_id,
        title,
        "critical",
        Remedy("restart", remedy),
        requirements=(requirement, "D04-45", "D03-01"),
    )(judge)
    return control


CREDENTIALS = (
    _open_without_credentials(
        "orchestrator.etcd_authentication",
        "etcd",
        "etcd answers only to clients with a certificate",
        "D04-04",
        "Start etcd with --client-cert-auth and --peer-client-cert-auth, each with its trusted-ca-file.",
        "etcd holds every secret of the cluster. Without --client-cert-auth TLS encrypts for everybody: 3.4"
        " and 3.5 answered /version and a range request.",
    ),
    _open_without_credentials(
        "orchestrator.kubelet_authentication",
        "kubelet",
        "The kubelet gives nothing to anonymous clients",
        "D04-05",
        "In the kubelet's configuration: authentication.anonymous.enabled false, authorization.mode Webhook.",
        "Who may use the kubelet's API runs commands in every pod of the node.",
    ),
    _open_without_credentials(
        "orchestrator.api_server_authentication",
        "apiserver",
        "The API server gives nothing to anonymous clients",
        "D04-07",
        "Close the insecure port (--insecure-port=0, no kubectl proxy on other addresses) and take the rights"
        " of system:anonymous away.",
        "Who may use the API server owns the cluster.",
    ),
    _open_without_credentials(
        "orchestrator.dashboard_authentication",
        "dashboard",
        "The dashboard's API gives nothing without a log-in",
        "D04-03",
        "Remove --enable-skip-login and the rights of its service account, or the dashboard.",
        "Open dashboards have let strangers run their software in many clusters.",
    ),
)


@scope("orchestrators", per_engine=False, over=end_points("kubelet"))(
    "orchestrator.kubelet_anonymous",
    "The kubelet refuses anonymous clients before it asks for rights",
    "low",
    Remedy("restart", "authentication.anonymous.enabled false in the kubelet's configuration."),
    requirements=("D04-05", "D04-45"),
)
def kubelet_anonymous(end_point: EndPoint, case: Case) -> Deviation | None:
    """403 instead of 401 says that anonymous clients are let in and merely have no rights yet."""
    answers = _answers(end_point, (403,))
    return Deviation(", ".join(answers), "401", "asked without credentials") if answers else None


def _read_only_ports(case: Case) -> Iterator[Item]:
    for item in end_points("kubelet")(case):
        if item.value["port"] == _READ_ONLY_PORT:
            yield item
    for item in services(case, lambda socket: socket["port"] == _READ_ONLY_PORT):
        if "kubelet" in item.value.names or not item.value.names:
            yield item


@scope("orchestrators", per_engine=False, over=_read_only_ports)(
    "orchestrator.kubelet_read_only_port",
    "The kubelet's read-only port is closed",
    "high",
    Remedy("restart", "readOnlyPort 0 in the kubelet's configuration."),
    requirements=("D04-06", "D04-45"),
)
def kubelet_read_only_port(found: EndPoint | Service, case: Case) -> Deviation:
    """Port 10255 tells everybody all pods with their environment, without any credentials."""
    if isinstance(found, Service):
        require_owner(found)
    return Deviation(f"port {_READ_ONLY_PORT} listens", "closed", "the host's listeners")


def _management(case: Case) -> Iterator[Item]:
    """End points of orchestrators and consoles that manage the host."""
    ports = {s["port"]: s["kind"] for s in case.host("services") if s["kind"] in _MANAGING}
    for item in services(case, lambda socket: socket["scope"] == "wildcard" and socket["protocol"] == "tcp"):
        known = known_service(item.value.names, "tcp", item.value.port)
        if item.value.port in ports or (known and known.name in MANAGEMENT):
            yield item


@scope("orchestrators", per_engine=False, over=_management)(
    "orchestrator.management_reachable",
    "Management interfaces are not reachable from everywhere",
    "high",
    Remedy(
        "manual", "Bind them to the management network's address, or let the packet filter drop the rest."
    ),
    requirements=("D03-01",),
    parameters={"allow_ports": []},
)
def management_reachable(service: Service, case: Case) -> Deviation | None:
    """Authentication is their only guard on all addresses, towards containers too, and has had holes.

    Those that let anybody in are critical findings of their own.
    """
    if service.port in case.parameters["allow_ports"]:
        return None
    require_owner(service)
    packet = Packet("tcp", service.port)
    versions = {version for socket in service.sockets for version in families(socket)}
    if all(incoming(case, version, packet) != ACCEPT for version in sorted(versions)):
        return None
    return Deviation(service.shown, "one address, or filtered", service.name)


def _swarm_services(case: Case) -> Iterator[Item]:
    if not case.of_engine("swarm", "manager"):
        raise NotApplicable("not a manager of a swarm")
    for service in case.of_engine("swarm", "services"):
        yield Item("service", service["id"], service["name"], service)


_ENGINE_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")


@scope("orchestrators", per_engine=True, over=_swarm_services)(
    "orchestrator.service_privileges",
    "Services of the swarm run with few rights",
    "medium",
    Remedy(
        "recreate",
        "docker service update --user ... --cap-drop ALL --cap-add ... --mount-rm ...; it redeploys.",
    ),
    requirements=("D01-19",),
    # The service's containers on this host are findings of the containers' controls already.
    baseline=False,
)
def service_privileges(service: Mapping[str, Any], case: Case) -> list[Deviation]:
    """A service is the policy that all its containers on all nodes get."""
    found = []
    user = (service["user"] or "").partition(":")[0]
    if user in ("", "0", "root"):
        found.append(Deviation(service["user"] or "the image's user", "an ordinary user", "User"))
    if not service["capabilities_dropped"]:
        found.append(Deviation("no capability dropped", "ALL dropped", "CapabilityDrop"))
    for mount in service["mounts"]:
        source = mount["source"] or ""
        if source.endswith(_ENGINE_SOCKETS) or source in ("/", "/run", "/var/run"):
            found.append(Deviation(f"mounts {source}", "no path to an engine's socket", "Mounts"))
    return found
