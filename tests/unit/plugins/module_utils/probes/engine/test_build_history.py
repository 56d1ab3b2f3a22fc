# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build steps as the classic builder and BuildKit write them, and the values that must not pass."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.bulwark.docker.plugins.module_utils.probes.engine.build_history import step, steps

RUN = "/bin/sh -c "


@pytest.mark.parametrize(
    ("created_by", "instruction", "words", "names"),
    [
        ("", "", [], []),
        ("/bin/sh -c #(nop) ADD file:0123 in / ", "ADD", ["file:0123", "in", "/"], []),
        ('/bin/sh -c #(nop)  CMD ["sh" "-c" "hunter2"]', "CMD", [], []),
        ("/bin/sh -c #(nop)  ENV A=hunter2 B=x=y", "ENV", [], ["A", "B"]),
        ("/bin/sh -c #(nop)  ARG TOKEN", "ARG", [], ["TOKEN"]),
        ("ARG TOKEN=hunter2", "ARG", [], ["TOKEN"]),
        ("ENV KEY=abc aHVudGVyMg== X=1 # buildkit", "ENV", [], ["KEY", "X"]),
        ("LABEL org.opencontainers.image.title=hunter2", "LABEL", [], ["org.opencontainers.image.title"]),
        ("COPY --chown=1:1 /src /app # buildkit", "COPY", ["/src", "/app"], []),
        ("ADD https://u:hunter2@h/x.tgz /opt # buildkit", "ADD", ["https://h/x.tgz", "/opt"], []),
        ("WORKDIR /srv/app", "WORKDIR", ["/srv/app"], []),
        ("USER app", "USER", ["app"], []),
        ("EXPOSE map[80/tcp:{}]", "EXPOSE", [], []),
        ('HEALTHCHECK &{["CMD-SHELL" "curl -u u:hunter2 h"] "0s"}', "HEALTHCHECK", [], []),
        ("RUN /bin/sh -c apk add curl # buildkit", "RUN", ["apk", "add"], []),
        ("RUN |1 TOKEN=hunter2 /bin/sh -c make all # buildkit", "RUN", ["make"], ["TOKEN"]),
        ("|2 A=hunter2 B=hunter2 two /bin/sh -c make", "RUN", ["make"], ["A", "B"]),
        ("/bin/bash -o pipefail -c apt-get update", "RUN", ["apt-get", "update"], []),
        ("RUN /bin/ash -eo pipefail -c apk update # buildkit", "RUN", ["apk", "update"], []),
        ("bash", "RUN", ["bash"], []),
        # A word that only ends like a shell's, and none at all.
        ("|2 A=push B=hunter2 /bin/sh -c make", "RUN", ["make"], ["A", "B"]),
        ("|1 TOKEN=hunter2 hunter2", "RUN", ["1"], []),
        ("|1 " + "a/" * 50_000, "RUN", ["1"], []),
    ],
)
def test_step(created_by: str, instruction: str, words: list[str], names: list[str]) -> None:
    found = step(created_by)
    assert found == {"instruction": instruction, "words": words, "names": names}
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("apt-get update && apt-get install -y curl", ["apt-get", "update", "apt-get", "install", "-y"]),
        (
            "apt-get -qq update; apt-get -o A::B=1 install x",
            ["apt-get", "update", "apt-get", "-o", "install"],
        ),
        ("set -eux; \\\n  apk add --no-cache \\\n  ca-certificates", ["set", "apk", "add", "--no-cache"]),
        ("DEBIAN_FRONTEND=noninteractive PASSWORD='hunter2 x' apt-get update", ["apt-get", "update"]),
        (
            'TOKEN="a hunter2" ./configure --with-secret=hunter2 --prefix hunter2',
            ["configure", "--with-secret", "--prefix"],
        ),
        ("sudo -u app /usr/bin/make hunter2", ["sudo", "-u"]),
        ("sudo make hunter2", ["sudo", "make"]),
        ("if [ hunter2 = x ]; then wget https://u:hunter2@h; fi", ["[", "wget"]),
        ("echo hunter2 | chpasswd", ["echo", "chpasswd"]),
        ("mysql -phunter2 -uroot", ["mysql"]),
        ("curl -H 'Authorization: hunter2' -u me:hunter2 -o x", ["curl", "-H", "-u", "-o"]),
        ('"hunter2" x', []),
        ("cat <<EOF > /etc/x\nhunter2\nEOF", ["cat"]),
        ("a || b & (c)", ["a", "b", "c"]),
        ("echo it\\'s hunter2; ls", ["echo", "ls"]),
        ("$(id) 'hunter2 ; hunter2", ["id"]),
        ("echo '<< x' ; ls", ["echo", "ls"]),
        ("git clone https://hunter2@h/x", ["git", "clone"]),
        ("pip install --index-url https://u:hunter2@h x", ["pip", "install", "--index-url"]),
    ],
)
def test_commands(script: str, words: list[str]) -> None:
    assert step(RUN + script)["words"] == words


def test_oldest_step_comes_first() -> None:
    history: list[dict[str, Any]] = [{"CreatedBy": "USER app"}, {"CreatedBy": None}, {}]
    assert [each["instruction"] for each in steps(history)] == ["", "", "USER"]


def test_long_scripts_take_no_time() -> None:
    script = RUN + "x=" + "a" * 100_000 + " 'b" * 20_000 + '\\"' * 20_000
    assert step(script)["instruction"] == "RUN"
