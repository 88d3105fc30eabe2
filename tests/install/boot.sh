#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The package under a real systemd: booted in a container over this very system, with a network of its own.
# usage: boot.sh BUILD_FOLDER
# ICELOCK_DEB=FILE takes a package that is already made; ICELOCK_KILLS=N kills the service so often (default 25).
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/install/container.sh
. "$here/container.sh"

need cpack dpkg python3
enter_container_namespace "$0" "$@"
make_root
mkdir "$work/package"
if [ -n "${ICELOCK_DEB:-}" ]; then
  cp "$ICELOCK_DEB" "$work/package/icelock.deb"
else
  (cd "$1" && cpack -G DEB -B "$work/package" >/dev/null)
  mv "$work"/package/*.deb "$work/package/icelock.deb"
fi
cp "$work/package/icelock.deb" "$here/boot_inside.py" "$here/../process/daemon/daemon_process.py" \
  "$work/root/opt/icelock-test/"

boot_container
inside ICELOCK_BIN=/usr/bin ICELOCK_KILLS="${ICELOCK_KILLS:-25}" python3 -B /opt/icelock-test/boot_inside.py || {
  inside journalctl --no-pager -u icelockd.service | tail -40
  exit 1
}
