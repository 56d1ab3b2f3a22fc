#!/bin/sh
# SPDX-FileCopyrightText: 2026 Bulwark contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# mmdebstrap's customize hook: turns a Debian root file system ($1) into a test host's.
set -eu
root=$1

# Each host makes its own machine id at boot.
: >"$root/etc/machine-id"

# Units that need hardware, a console or the internet, or would change the machine under the host
# (sysctls outside of any namespace, kernel modules).
for unit in \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    console-getty.service getty-static.service getty@.service \
    dev-hugepages.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    proc-sys-fs-binfmt_misc.automount systemd-binfmt.service \
    kmod-static-nodes.service modprobe@.service systemd-modules-load.service systemd-sysctl.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-udev-trigger.service systemd-journald-audit.socket \
    systemd-networkd-wait-online.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

# What a rootless engine needs of /dev; a container's devices are root's alone.
cat >"$root/etc/tmpfiles.d/bulwark-test.conf" <<'CONF'
z /dev/fuse 0666 root root
z /dev/net/tun 0666 root root
CONF

# An ordinary account: neither in docker's nor in sudo's group.
chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash worker

# The root file system of the containers inside the host: a tar for `docker import`.
tree=$(mktemp -d)
mkdir -p "$tree/bin" "$tree/etc" "$tree/tmp" "$tree/root"
cp "$root/bin/busybox" "$tree/bin/busybox"
"$tree/bin/busybox" --list | grep -vx busybox | while read -r applet; do
    ln -s busybox "$tree/bin/$applet"
done
echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
mkdir -p "$root/usr/share/bulwark-test"
tar --create --file "$root/usr/share/bulwark-test/busybox.tar" \
    --owner 0 --group 0 --numeric-owner --sort name --directory "$tree" .
rm -r "$tree"
