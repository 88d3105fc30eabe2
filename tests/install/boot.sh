#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The package under a real systemd: booted in a container over this very system, with a network of its own.
# usage: boot.sh BUILD_FOLDER
# ICELOCK_DEB=FILE takes a package that is already made; ICELOCK_KILLS=N kills the service so often (default 25).
set -eu
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)

skip() {
  echo "skipped: $*"
  exit $((${ICELOCK_REQUIRE:-0} == 1 ? 1 : 77))
}
[ "$(id -u)" -eq 0 ] || skip "needs root, for a container"
for tool in systemd-nspawn nsenter cpack dpkg setsid python3; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done
[ -c /dev/net/tun ] || skip "no /dev/net/tun"
if [ "${ICELOCK_IN_NAMESPACE:-}" != 1 ]; then
  unshare -m true 2>/dev/null || skip "no mount namespace"
  ICELOCK_IN_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
fi

work=$(mktemp -d)
container=
finish() {
  if [ -n "$container" ]; then
    kill "$container" 2>/dev/null || true # systemd-nspawn ends what runs inside
    for _ in $(seq 50); do
      kill -0 "$container" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$container" 2>/dev/null || true
  fi
  umount -R "$work" 2>/dev/null || true
  rmdir "$work" 2>/dev/null || true
}
trap finish EXIT
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work"/{upper,work,root,package}
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$work/root" 2>/dev/null ||
  skip "no overlay file system"

if [ -n "${ICELOCK_DEB:-}" ]; then
  cp "$ICELOCK_DEB" "$work/package/icelock.deb"
else
  (cd "$1" && cpack -G DEB -B "$work/package" >/dev/null)
  mv "$work"/package/*.deb "$work/package/icelock.deb"
fi
mkdir "$work/root/opt/icelock-test"
cp "$work/package/icelock.deb" "$here/boot_inside.py" "$here/../process/daemon/daemon_process.py" \
  "$work/root/opt/icelock-test/"
# A machine of its own: another id, and none of the services that this one may run.
: >"$work/root/etc/machine-id"
rm -rf "$work"/root/etc/systemd/system/*.wants
# Images for containers forbid packages to start services by this.
rm -f "$work/root/usr/sbin/policy-rc.d"
rm -rf "$work"/root/etc/{chromium,firefox,icelock,brave,opt/chrome,opt/edge,opt/vivaldi}

setsid systemd-nspawn -q -D "$work/root" --register=no --keep-unit --private-network --bind=/dev/net/tun \
  -b systemd.unit=multi-user.target >"$work/console" 2>&1 </dev/null &
container=$!
# The process that is number 1 in there. systemd-nspawn's first child is a helper that goes again.
find_leader() {
  local pid
  for pid in $(pgrep -P "$container"); do
    if grep -q '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null; then echo "$pid"; fi
  done
}
inside() { nsenter -t "$leader" -a -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
state=
for _ in $(seq 300); do
  leader=$(find_leader)
  [ -z "$leader" ] || state=$(inside systemctl is-system-running 2>/dev/null || true)
  case $state in running | degraded) break ;; esac
  sleep 0.2
done
case $state in running | degraded) ;; *) skip "systemd does not boot here: $(tail -3 "$work/console")" ;; esac
inside ICELOCK_BIN=/usr/bin ICELOCK_KILLS="${ICELOCK_KILLS:-25}" python3 -B /opt/icelock-test/boot_inside.py || {
  inside journalctl --no-pager -u icelockd.service | tail -40
  exit 1
}
