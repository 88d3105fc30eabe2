#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs a program with all its arguments as root of a new user and network namespace, without any right outside.
# --all-users: where it is root who runs this, the program keeps the real user namespace with all its users, since
# rules by user can be set there only.
# Exits 77 (skip) where the system allows no user namespaces.
set -eu
if [ "$1" = --all-users ]; then
  shift
  if [ "$(id -u)" = 0 ]; then exec unshare -n "$@"; fi
fi
drop=""
if [ "$(id -u)" = 0 ]; then
  drop="setpriv --reuid 65534 --regid 65534 --clear-groups"
fi
if ! $drop unshare -Urn true 2>/dev/null; then
  echo "SKIP: no user and network namespaces for an unprivileged user here" >&2
  exit 77
fi
if ! $drop unshare -Urn sh -c 'test -w /dev/net/tun'; then
  # Some machines, containers mostly, keep the device for root. Root can lend the test one of its own.
  if [ -n "$drop" ] && [ -c /dev/net/tun ] && [ "${ICELOCK_OWN_TUN:-}" != 1 ]; then
    # shellcheck disable=SC2016  # for the inner shell
    ICELOCK_OWN_TUN=1 exec unshare -m --propagation private sh -c '
      mount -t tmpfs -o mode=755 tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"' sh "$0" "$@"
  fi
  echo "SKIP: /dev/net/tun is missing or closed" >&2
  exit 77
fi
exec $drop unshare -Urn "$@"
