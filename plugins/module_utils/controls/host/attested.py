# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls that no program can judge: a question for a person, whose attestation with a date answers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.bulwark.docker.plugins.module_utils.controls.findings import (
    MANUAL,
    Case,
    Control,
    Deviation,
    Item,
    NotApplicable,
    Remedy,
    on_host,
    scope,
)
from ansible_collections.bulwark.docker.plugins.module_utils.controls.subjects.services import services


def _with_engine(case: Case) -> None:
    if not case.host("engines"):
        raise NotApplicable("no Docker engine on this host")


def _with_kubelet(case: Case) -> None:
    if not any(process["name"] == "kubelet" for process in case.host("engine_processes")):
        raise NotApplicable("no kubelet on this host")


def _with_services(case: Case) -> None:
    if not services(case):
        raise NotApplicable("no service of this host can be reached over the network")


def _always(_case: Case) -> None:
    return


def _control_of(row: tuple[Any, ...]) -> Control:
    control_id, title, severity, requirements, cis, level, applies, question, why = row

    def over(case: Case) -> Iterable[Item]:
        applies(case)
        return on_host(case)

    def judge(_snapshot: Mapping[str, Any], _case: Case) -> Deviation:
        return Deviation(None, question, "no program can see it", MANUAL)

    judge.__doc__ = why
    control: Control = scope("manual", per_engine=False, over=over)(
        f"manual.{control_id}",
        title,
        severity,
        Remedy("manual", f"Answer: {question} Then attest this control: by, date, valid_until."),
        requirements=requirements,
        cis=cis,
        level=level,
        baseline=False,
    )(judge)
    return control


# id, title, severity, requirements, CIS 1.6.0, level, when it applies, question, why
_TABLE: tuple[tuple[Any, ...], ...] = (
    ("host_hardened", "The host's operating system is hardened", "medium", (), ("1.2.1",), 1, _always,
     "Was the host hardened by a benchmark of its operating system, and when was that last checked?",
     "Whoever is root on the host is root in every container; this audit looks at what concerns the"
     " engine."),
    ("trusted_base_images", "Images come from trusted sources", "medium", (), ("4.2",), 1, _with_engine,
     "Which registries and base images may be used, and who checks that no other is?",
     "An image is a program from a stranger; that it was pulled says nothing about who made it."),
    ("image_packages", "Images hold no more packages than they need", "low", (), ("4.3",), 1,
     _with_engine, "Who decides what is installed in the images, and are minimal base images used?",
     "Each package brings holes to patch and tools for an intruder."),
    ("images_scanned", "Images are scanned and rebuilt with security updates", "high", (), ("4.4",), 1,
     _with_engine,
     "Which scanner sees all images that run here, how often, and how soon are they rebuilt and"
     " redeployed?", "A container never gets updates; only a new image brings them."),
    ("build_secrets", "No secrets are in build files and image layers", "high", (), ("4.10",), 1,
     _with_engine,
     "Are build files and image layers searched for secrets, and are secrets mounted at build time"
     " instead?",
     "What a layer once held stays in it, whatever later steps remove; the audit sees names only."),
    ("verified_packages", "Builds install only verified packages", "medium", (), ("4.11",), 2,
     _with_engine, "Do all builds verify the signatures or checksums of what they install and download?",
     "A package that was changed on its way becomes part of every container."),
    ("signed_artifacts", "Signatures of images and other artifacts are verified", "medium", (), ("4.12",),
     1, _with_engine,
     "Which signatures (cosign, notation) does the pipeline or the host verify before something is"
     " deployed?", "Content trust, which the engine had for it, is being retired."),
    ("privileged_exec", "docker exec is not used with --privileged", "medium", (), ("5.23",), 2,
     _with_engine,
     "Who may use docker exec, and what would show a call with --privileged (audit rule, authorization"
     " plugin)?",
     "It gives a process in a confined container all capabilities; the audit sees only those that run"
     " now."),
    ("root_exec", "docker exec is not used with --user root", "medium", (), ("5.24",), 2, _with_engine,
     "Who may use docker exec, and what would show a call with --user 0 (audit rule, authorization"
     " plugin)?",
     "It gives root in a container that was made to run without; the audit sees only those that run"
     " now."),
    ("current_images", "Containers run the latest version of their images", "medium", (), ("5.28",), 1,
     _with_engine, "How are new versions of the images noticed, and how soon do containers run them?",
     "Which version is the latest only the registry knows, and the audit asks nobody outside of the"
     " host."),
    ("build_files_set_user", "Dockerfiles and compose files set an ordinary user", "low", ("D01-20",), (),
     None, _with_engine, "Does every Dockerfile end with, and every compose file set, an ordinary user?",
     "The files are where it is repaired, and they are not on the host; what runs is judged by other"
     " controls."),
    ("pod_security", "Namespaces of the cluster enforce a pod security standard", "medium", ("D01-19",),
     (), None, _with_kubelet,
     "Which namespaces lack pod-security.kubernetes.io/enforce restricted or baseline?",
     "Without it whoever may create a pod may create a privileged one. The cluster is not asked by a"
     " host's audit."),
    ("stoppable_services", "It was decided which services can be stopped", "medium", ("D04-20",), (),
     None, _with_services,
     "For each service in listener.declared and listener.unneeded_service: what would miss it?",
     "Who uses a service is known to its users only."),
    ("services_reviewed", "The design and documentation of reachable services were reviewed", "info",
     ("D04-24",), (), None, _with_services,
     "When were the known flaws and hardening guides of the services that can be reached last read?",
     "Some protocols cannot be used safely, whatever their configuration."),
    ("network_scan", "A scan from the network shows the same open ports as the host", "info", ("D04-44",),
     (), None, _with_services,
     "When was the host last scanned from its networks, and which ports did that show beyond this"
     " report?",
     "Only a look from outside sees what routers, filters and address translation make of the"
     " listeners."),
)  # fmt: skip

MANUAL_CONTROLS = tuple(map(_control_of, _TABLE))
