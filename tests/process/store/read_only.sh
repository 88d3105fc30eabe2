#!/bin/bash
# shellcheck disable=SC2154  # tool and work come from common.sh
# SPDX-License-Identifier: Apache-2.0
# Read-only file systems, and a policy folder that is a mount of its own: refused with a code, nothing changed.
. "$(dirname "$0")/own_mounts.sh"
. "$(dirname "$0")/common.sh"
cleanup() {
  umount -R "$work/root" 2>/dev/null || true
  rm -rf "$work"
}
all="chromium=force_proxy firefox=force_proxy brave=force_proxy"

refused() { # CODE LABEL ARGUMENTS...
  local code=$1 label=$2 before said
  shift 2
  before=$(snapshot "$work/root")
  if said=$("$tool" "$work/root" "$@"); then fail "$label: was not refused"; fi
  [ "${said%%:*}" = "$code" ] || fail "$label: $code expected, but: $said"
  same "$before" "$(snapshot "$work/root")" "$label: changed something"
  echo "$label: $said"
}

fresh() {
  umount -R "$work/root" 2>/dev/null || true
  mkdir -p "$work/root"
  mount -t tmpfs -o mode=755 tmpfs "$work/root"
  make_root "$work/root"
}

fresh
mount -o remount,ro "$work/root"
refused not_permitted "all read-only" apply $all

fresh
mount --bind "$work/root/etc/chromium" "$work/root/etc/chromium"
mount -o remount,bind,ro "$work/root/etc/chromium"
refused not_permitted "one browser's folder read-only" apply $all

fresh
mount --bind "$work/root/var" "$work/root/var"
mount -o remount,bind,ro "$work/root/var"
refused not_permitted "ledger's folder read-only" apply $all

fresh
mount --bind "$work/root/etc/chromium/policies/managed" "$work/root/etc/chromium/policies/managed"
refused unavailable "policy folder is a mount" apply $all

fresh
"$tool" "$work/root" apply $all >/dev/null
mount -o remount,ro "$work/root"
refused not_permitted "revert on read-only" revert
