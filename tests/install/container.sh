# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# This very system booted by systemd-nspawn, over a scratch copy and with a network of its own: sourced, not run.
#   enter_container_namespace "$0" "$@"   first: goes on in a mount namespace of its own
#   make_root            $work, with the copy in $work/root, to be changed before the boot
#   boot_container       starts it and waits; then `inside COMMAND...` runs something in it
# All of it ends with the script that sourced this.

skip() {
  echo "skipped: $*"
  exit $((${ICELOCK_REQUIRE:-0} == 1 ? 1 : 77))
}

# need TOOL...
need() {
  local tool
  [ "$(id -u)" -eq 0 ] || skip "needs root, for a container"
  for tool in systemd-nspawn nsenter setsid "$@"; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
  done
  [ -c /dev/net/tun ] || skip "no /dev/net/tun"
}

enter_container_namespace() {
  [ "${ICELOCK_IN_NAMESPACE:-}" != 1 ] || return 0
  unshare -m true 2>/dev/null || skip "no mount namespace"
  ICELOCK_IN_NAMESPACE=1 exec unshare -m --propagation private "$@"
}

work=
container=
finish_container() {
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

make_root() {
  work=$(mktemp -d)
  trap finish_container EXIT
  mount -t tmpfs -o mode=755 tmpfs "$work"
  mkdir "$work"/{upper,work,root}
  mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$work/root" 2>/dev/null ||
    skip "no overlay file system"
  mkdir "$work/root/opt/icelock-test"
  # A machine of its own: another id, and none of the services that this one may run.
  : >"$work/root/etc/machine-id"
  rm -rf "$work"/root/etc/systemd/system/*.wants
  # Images for containers forbid packages to start services by this.
  rm -f "$work/root/usr/sbin/policy-rc.d"
  rm -rf "$work"/root/etc/{chromium,firefox,icelock,brave,opt/chrome,opt/edge,opt/vivaldi}
}

# The process that is number 1 in there. systemd-nspawn's first child is a helper that goes again.
find_leader() {
  local pid
  for pid in $(pgrep -P "$container"); do
    if grep -q '^NSpid:.*[[:space:]]1$' "/proc/$pid/status" 2>/dev/null; then echo "$pid"; fi
  done
}
inside() { nsenter -t "$leader" -a -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

boot_container() {
  local state=
  setsid systemd-nspawn -q -D "$work/root" --register=no --keep-unit --private-network --bind=/dev/net/tun \
    -b systemd.unit=multi-user.target >"$work/console" 2>&1 </dev/null &
  container=$!
  for _ in $(seq 300); do
    leader=$(find_leader)
    [ -z "$leader" ] || state=$(inside systemctl is-system-running 2>/dev/null || true)
    case $state in running | degraded) return ;; esac
    sleep 0.2
  done
  skip "systemd does not boot here: $(tail -3 "$work/console")"
}
