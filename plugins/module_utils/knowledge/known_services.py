# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network services that a container host rarely needs, why not, and how they authenticate. Data only."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

# NONE: has no authentication, or one that is worth nothing; OPTIONAL: off until somebody sets it up.
NONE, OPTIONAL, OWN = "none", "optional", "own"


class Service(NamedTuple):
    """`programs`: shell patterns of process, unit and package names; ports count where no owner is known."""

    name: str
    programs: tuple[str, ...]
    ports: tuple[int, ...]
    authentication: str
    reason: str


_CONTAINER = "belongs into a container"
_USELESS = "a container host has no use for it"

_TABLE = (
    ("telnet", "telnetd in.telnetd telnet.socket", (23,), NONE, "passwords in clear text"),
    ("ftp", "vsftpd* proftpd* pure-ftpd*", (21,), OWN, "passwords in clear text"),
    ("tftp", "tftpd* in.tftpd atftpd* tftp.socket", (69,), NONE, "gives files to anybody"),
    ("rsh", "in.rshd in.rlogind in.rexecd rsh.socket rlogin.socket rexec.socket", (512, 513, 514), NONE,
     "trusts the client's address"),
    ("finger", "fingerd in.fingerd cfingerd*", (79,), NONE, "tells who is logged in"),
    ("inetd", "inetd xinetd openbsd-inetd* inetutils-inetd*", (), NONE, "starts old services for anybody"),
    ("nis", "ypserv ypbind rpc.yppasswdd", (), NONE, "gives password hashes away"),
    ("nfs", "nfs-server* rpc.nfsd rpc.mountd rpc.statd nfs-kernel-server* nfs-mountd*", (2049,), OPTIONAL,
     "exports file systems by the client's address"),
    ("samba", "smbd nmbd winbindd samba*", (137, 138, 139, 445), OWN, "exports file systems of the host"),
    ("cups", "cupsd cups-browsed cups*.socket cups.service", (631,), NONE, _USELESS),
    ("snmp", "snmpd snmptrapd", (161, 162), OPTIONAL, "version 2 knows only a community name in clear text"),
    ("mail", "exim4 exim master postfix* sendmail* dovecot* courier*", (25, 110, 143, 465, 587, 993, 995),
     OWN, "local mail needs loopback only"),
    ("dns", "named named.service dnsmasq unbound pdns_server bind9*", (53,), NONE,
     "open resolvers amplify attacks"),
    ("dhcp server", "dhcpd kea-dhcp* isc-dhcp-server*", (67,), NONE, "belongs on network equipment"),
    ("ntp server", "ntpd ntpd.service", (123,), NONE, "a client needs no listening socket"),
    ("ldap", "slapd ns-slapd", (389, 636), OWN, "a directory belongs on a host of its own"),
    ("web server", "apache2 httpd nginx lighttpd caddy", (80, 443), OPTIONAL, _CONTAINER),
    ("application server", "php-fpm* tomcat* jetty*", (), OPTIONAL, _CONTAINER),
    ("proxy", "squid squid3 haproxy varnishd tinyproxy privoxy", (3128,), OPTIONAL,
     "carries foreign traffic"),
    ("mysql", "mysqld mariadbd mysql.service mariadb.service", (3306, 33060), OWN, _CONTAINER),
    ("postgresql", "postgres postmaster postgresql*", (5432,), OWN, _CONTAINER),
    ("mongodb", "mongod mongos", (27017,), OPTIONAL, "open until access control is on"),
    ("redis", "redis-server redis* valkey-server valkey*", (6379,), OPTIONAL,
     "writes files for whoever connects"),
    ("memcached", "memcached", (11211,), NONE, "no authentication; amplifies attacks over UDP"),
    ("elasticsearch", "elasticsearch* opensearch*", (9200, 9300), OPTIONAL, _CONTAINER),
    ("couchdb", "couchdb beam.smp-couchdb", (5984,), OPTIONAL, _CONTAINER),
    ("rabbitmq", "rabbitmq* epmd", (4369, 5672, 15672, 25672), OPTIONAL, _CONTAINER),
    ("zookeeper", "zookeeper*", (2181,), NONE, "no authentication by default"),
    ("x11", "Xorg Xwayland Xvfb", tuple(range(6000, 6011)), OPTIONAL, "whoever connects reads all keys"),
    ("xdmcp", "xdm gdm gdm3 lightdm", (177,), NONE, "log-in in clear text"),
    ("vnc", "Xvnc x11vnc vncserver* Xtigervnc", (5900, 5901), OPTIONAL, "a desktop on the network"),
    ("rdp", "xrdp xrdp-sesman", (3389,), OWN, "a desktop on the network"),
    ("rsync", "rsync rsyncd rsync.service rsync.socket", (873,), OPTIONAL, "gives files away unencrypted"),
    ("cockpit", "cockpit* cockpit.socket", (9090,), OWN, "manages the host, containers too, from a browser"),
    ("webmin", "webmin* miniserv.pl", (10000,), OWN, "manages the host from a browser"),
    ("ajenti", "ajenti*", (), OWN, "manages the host from a browser"),
    ("iscsi target", "tgtd target.service", (3260,), OPTIONAL, "gives disks of the host away"),
    ("bluetooth", "bluetoothd", (), OWN, _USELESS),
    ("ipp discovery", "ippusbxd", (), NONE, _USELESS),
    ("games and media", "minidlna* minissdpd plexmediaserver*", (1900,), NONE, _USELESS),
)  # fmt: skip

KNOWN_SERVICES = tuple(
    Service(name, tuple(programs.split()), ports, authentication, reason)
    for name, programs, ports, authentication, reason in _TABLE
)
# Each has a control of its own: to stop the service alone stops nothing. The name is that of both units.
RPCBIND = Service(
    "rpcbind", ("rpcbind*",), (111,), NONE, "tells anybody what else runs, and amplifies attacks"
)
AVAHI = Service("avahi-daemon", ("avahi-daemon*",), (5353,), NONE, "parses packets of everybody on the link")
SWITCHED_OFF = (RPCBIND, AVAHI)
MANAGEMENT = ("cockpit", "webmin", "ajenti")


def known_service(
    names: Iterable[str], protocol: str, port: int, table: Iterable[Service] = KNOWN_SERVICES
) -> Service | None:
    """The service that one of the names (process, unit, package) stands for; without names, by the port."""
    names = [name for name in names if name]
    for service in table:
        if any(fnmatchcase(name, pattern) for name in names for pattern in service.programs):
            return service
        if not names and port in service.ports and protocol in ("tcp", "udp"):
            return service
    return None
