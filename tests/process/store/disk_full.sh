#!/bin/bash
# shellcheck disable=SC2154  # tool and work come from common.sh
# SPDX-License-Identifier: Apache-2.0
# A disk with ever more room: each apply that fails says no_space and changes nothing, the first that has
# enough succeeds. Then the same for inodes. A revert that cannot be done says so and can be done later.
. "$(dirname "$0")/own_mounts.sh"
. "$(dirname "$0")/common.sh"
cleanup() {
  umount -R "$work/root" 2>/dev/null || true
  rm -rf "$work"
}
all="chromium=force_proxy firefox=force_proxy brave=force_proxy"
mkdir -p "$work/root"

try() { # MOUNT_OPTION: returns 0 when the apply succeeded
  umount "$work/root" 2>/dev/null || true
  mount -t tmpfs -o "mode=755" tmpfs "$work/root"
  make_root "$work/root"
  mount -o "remount,$1" "$work/root" || return 2
  local before said
  before=$(snapshot "$work/root")
  if said=$("$tool" "$work/root" apply $all); then
    "$tool" "$work/root" revert >/dev/null
    same "$before" "$(snapshot "$work/root")" "$1: not as before"
    return 0
  fi
  [ "${said%%:*}" = no_space ] || fail "$1: no_space expected, but: $said"
  same "$before" "$(snapshot "$work/root")" "$1: changed something"
  return 1
}

grow() { # NAME FIRST LAST
  local failures=0 n result
  for n in $(seq "$2" "$3"); do
    result=0
    try "$1=$n" 2>"$work/problem" || result=$?
    grep -q FAILED "$work/problem" && fail "$(cat "$work/problem")"
    [ "$result" != 2 ] || continue # smaller than what is there already
    if [ "$result" = 0 ]; then
      echo "$1: refused $failures times, enough at $n"
      [ "$failures" -gt 2 ] || fail "$1: never full"
      return
    fi
    failures=$((failures + 1))
  done
  fail "$1: never enough"
}

grow nr_blocks 3 60
grow nr_inodes 8 60

# Full only when the work is to be taken back.
umount "$work/root"
mount -t tmpfs -o mode=755 tmpfs "$work/root"
make_root "$work/root"
original=$(snapshot "$work/root")
"$tool" "$work/root" apply $all >/dev/null
mount -o "remount,nr_blocks=$(df --output=used -B4096 "$work/root" | tail -1 | tr -d ' ')" "$work/root"
if said=$("$tool" "$work/root" revert); then fail "revert on a full disk: was not refused"; fi
[ "${said%%:*}" = no_space ] || fail "revert on a full disk: $said"
[ "$("$tool" "$work/root" installed chromium firefox brave | grep -c force_proxy)" = 3 ] ||
  fail "revert on a full disk took a lock away"
mount -o remount,nr_blocks=100 "$work/root"
"$tool" "$work/root" revert >/dev/null
same "$original" "$(snapshot "$work/root")" "revert when there is room again"
