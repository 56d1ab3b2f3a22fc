# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of text that others wrote, the exceptions that its documentation names, and a text that it takes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from ansible_collections.bulwark.docker.plugins.module_utils.base import foreign_json, redact, timestamps
from ansible_collections.bulwark.docker.plugins.module_utils.base.errors import Unreadable
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import daemon_json as edited
from ansible_collections.bulwark.docker.plugins.module_utils.changes.dockerd import (
    option_types,
    unit_syntax,
    validate,
)
from ansible_collections.bulwark.docker.plugins.module_utils.changes.engine import handshakes
from ansible_collections.bulwark.docker.plugins.module_utils.changes.host import subids
from ansible_collections.bulwark.docker.plugins.module_utils.knowledge import dockerd_flags
from ansible_collections.bulwark.docker.plugins.module_utils.pki import pem, x509
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine import (
    build_history,
    config,
    daemon_json,
    seccomp,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.host import firewall, mounts, sshd, units
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network import (
    http_client,
    stores,
    tls_handshake,
)
from ansible_collections.bulwark.docker.plugins.module_utils.probes.network.conversation import Said

from tests.unit.plugins.module_utils.probes.making import ALTERNATIVE, DNS, IP, URI, made


class Parser(NamedTuple):
    """`raises`: what those who call it expect; `sound`: a text of which it makes something."""

    read: Callable[[Any], Any]
    sound: Any
    raises: tuple[type[Exception], ...] = ()


_DAEMON_JSON = b"""{
  "hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"],
  "insecure-registries": ["user:secret@host:5000"],
  "log-opts": {"max-size": "10m", "labels": "a,b"},
  "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096}},
  "mtu": 1400, "live-restore": true, "x": null, "y": -1.5e3
}
"""
_PEM = pem.armored("CERTIFICATE", made(extensions=(ALTERNATIVE(DNS(b"a"), IP(b"\1\2\3\4"), URI(b"u")),)))
_S_CLIENT = f"""CONNECTED(00000003)
depth=0 O = Test, CN = server
---
Server certificate
{_PEM}subject=O = Test
---
Acceptable client certificate CA names
O = Test, CN = ca
Client Certificate Types: RSA sign
---
New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384
HTTP/1.1 200 OK

"""


def _rendered(content: bytes) -> Any:
    """Read, changed and written: what comes out is read as what was meant."""
    document = edited.read("/etc/docker/daemon.json", content, force=True)
    settings = {**document.settings, "debug": True}
    written = edited.render(document, settings)
    assert written is not None
    assert edited.read("/etc/docker/daemon.json", written).settings == settings
    return edited.shown(settings, document)


def _unit(text: str) -> Any:
    found = []
    for _key, value in unit_syntax.settings(text, "Service"):
        try:
            found.append(list(unit_syntax.words(unit_syntax.without_specifiers(value))))
        except ValueError:
            found.append(unit_syntax.split_value(value))
    return [unit_syntax.expanded(word, {"A": "x"}) for words in found for word in words]


def _certificates(text: str) -> Any:
    return [(x509.certificate(pem.der(block)), x509.names(pem.der(block))) for block in pem.blocks(text)]


def _answer(data: bytes) -> Any:
    found = http_client.reply("http", "/", data, None), http_client._complete(bytearray(data))
    return found[0].answer


def _raw(data: bytes) -> Any:
    questions = (*stores.REDIS, *stores.MEMCACHED, *stores.MONGODB)
    return [
        (
            question.complete(bytearray(data)),
            [bool(pattern.search(data)) for _word, pattern in question.meanings],
        )
        for question in questions
    ]


PARSERS: dict[str, Parser] = {
    "foreign_json": Parser(lambda text: foreign_json.loads(text, "x"), _DAEMON_JSON, (Unreadable,)),
    "daemon_json.parse": Parser(daemon_json.parse, _DAEMON_JSON),
    "daemon_json.render": Parser(_rendered, _DAEMON_JSON, (edited.Unsound,)),
    "redact.options": Parser(
        lambda text: config.redacted({"labels": [text], text: text, "log-opts": {text: text}}),
        "https://u:p@h/?a=b password=x,y=z",
    ),
    "redact.words": Parser(
        lambda text: redact.words([*text.split(" "), text]),
        "dockerd --log-opt token=x -H tcp://u:p@h --password y",
    ),
    "redact.environment": Parser(lambda text: redact.environment([text, f"DOCKER_HOST={text}"]), "A=b"),
    "redact.labels": Parser(
        lambda text: redact.labels({text: text, "run": text, "env": text}), "docker run --privileged"
    ),
    "dockerd_flags": Parser(
        lambda text: dockerd_flags.parse(text.split(" ")), "-H fd:// --tls=true -DHtcp://x --label a=b -- x"
    ),
    "unit file": Parser(
        _unit,
        "[Service]\nExecStart=/usr/bin/dockerd -H 'fd://' \\\n  --label \"a\\x20b\" ${A} $$ %%\n# x\nEnvironment=A=b\n",
    ),
    "environment file": Parser(unit_syntax.environment_file, '# x\nA=b \\\nc\nB=\'d e\' "f\\"g"\nC=h\\ i\n'),
    "certificates": Parser(_certificates, _PEM, (Unreadable,)),
    "certificate": Parser(x509.certificate, made(extensions=(ALTERNATIVE(DNS(b"a")),)), (Unreadable,)),
    "names of a certificate": Parser(x509.names, made(), (Unreadable,)),
    "build history": Parser(
        lambda text: build_history.steps(
            [{"CreatedBy": text}, {"CreatedBy": f"RUN {text}"}, {"CreatedBy": f"ENV {text}"}]
        ),
        "|2 A=b C=d /bin/sh -c apt-get update && echo 'x' > y; curl -fsSL https://u:p@h | sh <<EOF\nx\nEOF # buildkit",
    ),
    "HTTP": Parser(_answer, b"HTTP/1.1 200 OK\r\nServer: Docker/28\r\nContent-Length: 2\r\n\r\nOK"),
    "raw answers": Parser(
        _raw, struct.pack("<iiii", 60, 5, 1, 2013) + b"\x01ok\0\0\0\0\0\0\0\xf0\x3f" + b"+PONG\r\n"
    ),
    "s_client": Parser(lambda text: tls_handshake._told(Said(text, text, True), "/"), _S_CLIENT),
    "iptables-save": Parser(
        firewall.tables,
        "*filter\n:INPUT DROP [0:0]\n:X - [0:0]\n-A INPUT -j X\nCOMMIT\n",
        (KeyError, ValueError),
    ),
    "nft": Parser(
        firewall.base_chains,
        '{"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c", "hook": "input", "policy": "drop"}},'
        ' {"rule": {"family": "ip", "table": "t", "chain": "c"}}]}',
        (Unreadable, KeyError, TypeError, AttributeError),
    ),
    "sshd": Parser(
        lambda text: [
            sshd._plain(each.group(2)) for each in map(sshd._DIRECTIVE.match, text.split("\n")) if each
        ],
        'PermitRootLogin no # x\nMatch User "a b"\nPort = 22\n',
    ),
    "seccomp": Parser(
        lambda text: seccomp.split([f"seccomp={text}"]),
        '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}',
    ),
    "exec start": Parser(
        lambda text: units._exec_start([text]), "{ path=/x ; argv[]=/x -H fd:// ; ignore_errors=no ; }"
    ),
    "listens": Parser(lambda text: units.listens([text]), "/run/docker.sock (Stream)"),
    "dockerd's log": Parser(validate._message, 'time="x" level=fatal msg="unable: a \\"b\\" (from flag: c)"'),
    "/etc/subuid": Parser(subids._parsed, "root:100000:65536\n# x\n1000:165536:65536\n", (ValueError,)),
    "time": Parser(timestamps.seconds, "2026-01-01T00:00:00.123456789Z"),
    "mount point": Parser(mounts._decoded, "/a\\040b\\011"),
    "size": Parser(
        lambda text: (
            [option_types.type_error(key, text) for key in ("default-shm-size", "mtu", "default-ulimits")]
            + [option_types.converted(key, {"nofile": text}) for key in ("default-ulimits", "log-opts")]
        ),
        "64m",
    ),
    "CA names": Parser(
        lambda text: [handshakes._name(each) for each in handshakes._SUBJECT.findall(text)], "subject=O = x\n"
    ),
}
